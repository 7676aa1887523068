"""Tasks that go to a file keep the queues' promises: once, at their level, until nothing wants them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from recon.adapters.state_queue import StateTaskQueue
from recon.adapters.state_store import MemoryStateStore
from recon.errors import StateError
from recon.model import OutstandingTask, Priority, ScrapeTask, Settlement, TickCounts
from recon.ports import TaskResult

SEEN = datetime(2025, 11, 1, tzinfo=UTC)
LAKE = "s3://lake/root"


def task(number: int, level: Priority = Priority.HIGH, note: str = "") -> ScrapeTask:
    ident = f"{number:032x}"
    body = json.dumps({"id": ident, "note": note}, separators=(",", ":"))
    return ScrapeTask(ident, level, "nba", body.encode())


@pytest.fixture
def state() -> MemoryStateStore:
    return MemoryStateStore()


@pytest.fixture
def queue(state) -> StateTaskQueue:
    return StateTaskQueue(state, lake=LAKE)


def test_published_tasks_are_outstanding_and_ready_for_every_later_process(queue, state):
    assert queue.publish([task(2), task(1)], fence=1, observed_at=SEEN) == {
        task(2).id: "new",
        task(1).id: "new",
    }
    expected = [OutstandingTask(it.id, it.priority, "nba", it.body) for it in (task(1), task(2))]
    assert StateTaskQueue(state, lake=LAKE).outstanding(LAKE) == expected


def test_publishing_twice_changes_nothing(queue, state):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    before = state.get("queue.json")
    assert queue.publish([task(1)], fence=2, observed_at=SEEN) == {task(1).id: "duplicate"}
    assert state.get("queue.json") == before


def test_a_task_moves_is_repaired_and_revised_under_its_id(queue):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    assert queue.publish([task(1, Priority.LOW)], fence=1, observed_at=SEEN) == {task(1).id: "moved"}
    assert queue.publish([task(1, Priority.LOW, "x")], fence=1, observed_at=SEEN) == {task(1).id: "repaired"}
    assert queue.revise([task(1, Priority.HIGH, "y"), task(2)], fence=1) == {
        task(1).id: "revised",
        task(2).id: "gone",
    }
    (held,) = queue.outstanding(LAKE)
    assert (held.priority, json.loads(held.body)["note"]) == (Priority.LOW, "y")
    assert queue.depths() == {level: int(level is Priority.LOW) for level in Priority}


def test_a_withdrawn_task_is_gone(queue):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    assert queue.withdraw([task(1).id, task(3).id], fence=1) == {
        task(1).id: "withdrawn",
        task(3).id: "unknown",
    }
    assert [held.id for held in queue.outstanding(LAKE)] == [task(2).id]


def test_nothing_is_ever_popped_from_a_file(queue):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    assert queue.tick() == TickCounts()
    assert queue.requeue([task(1).id, task(2).id]) == {task(1).id: "ready", task(2).id: "unknown"}
    assert queue.close([task(1).id]) == queue.reopen([task(1)]) == {task(1).id: "gone"}
    assert queue.settle([TaskResult(task(1).id, Settlement.DONE)]) == ["unknown"]
    queue.collect([b"{}"])
    assert queue.results(10) == queue.dead() == []
    assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id]


def test_what_another_lake_left_is_not_counted(queue, state):
    StateTaskQueue(state, lake="s3://other").publish([task(1)], fence=1, observed_at=SEEN)
    assert queue.outstanding(LAKE) == []
    queue.publish([task(2)], fence=1, observed_at=SEEN)
    assert [held.id for held in queue.outstanding(LAKE)] == [task(2).id]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"lake":"s3://lake/root","tasks":[{}]}', b"\xff"])
def test_a_damaged_file_says_what_to_do(queue, state, content):
    state.put("queue.json", content)
    with pytest.raises(StateError, match="Delete it"):
        queue.outstanding(LAKE)
