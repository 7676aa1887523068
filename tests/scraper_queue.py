"""Queues with tasks as the engine words them, for tests of those who take them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from wanted_groups import LAKE, group

from recon.adapters.redis_queue import RedisTaskQueue
from recon.core.task_body import new_tasks
from recon.model import OutstandingTask, Priority, ScrapeTask, TaskState

#: After everything that consumers claim in these tests.
SEEN = datetime(2100, 1, 1, tzinfo=UTC)


class ScraperQueue:
    """One lake's queues, its tasks' states, and what consumers said."""

    def __init__(self, engine: RedisTaskQueue, client) -> None:
        self.engine = engine
        self.client = client

    def publish(self, *keys: str, level: Priority = Priority.HIGH, **wanted: object) -> list[ScrapeTask]:
        """Publish one task a key."""
        tasks = [
            task
            for key in keys
            for task in new_tasks(LAKE, group([key], **wanted), [key], [{"name": key}], [level.value])
        ]
        outcomes = self.engine.publish(tasks, fence=1, observed_at=SEEN)
        assert set(outcomes.values()) == {"new"}
        return tasks

    def tasks(self) -> dict[str, OutstandingTask]:
        """Return key -> its task."""
        return {json.loads(task.body)["keys"][0]: task for task in self.engine.outstanding(LAKE)}

    def states(self) -> dict[str, TaskState]:
        return {key: task.state for key, task in self.tasks().items()}

    def results(self) -> list[dict]:
        return [json.loads(raw) for raw in self.engine.results(100)]

    def let_pass(self, by_s: float) -> None:
        """Let time pass for the tasks: the server's clock cannot be moved, but its marks can."""
        for name in ("lease", "cool", "acked", "dead"):
            for member in self.client.zrange(f"recon:q:{name}", 0, -1):
                self.client.zincrby(f"recon:q:{name}", -by_s * 1000, member)


@pytest.fixture
def queue(broker, redis_server) -> ScraperQueue:
    return ScraperQueue(RedisTaskQueue(broker, lake=LAKE), redis_server.client)


def wait_for(what: Callable[[], object], patience_s: float = 20) -> None:
    give_up_at = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < give_up_at, "it did not come to pass"
        time.sleep(0.01)
