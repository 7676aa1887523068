"""A careful consumer's leases beside what plain consumers, faults and great numbers do."""

from __future__ import annotations

import pytest
from queue_machine import LAKE, LISTS, SEEN, QueueParts, read_books, task

from recon.adapters.redis_queue import RedisTaskQueue
from recon.model import Priority, ScrapeTask, Settlement


@pytest.fixture
def parts(redis_server, broker) -> QueueParts:
    return QueueParts(redis_server.client, broker)


def publish(parts: QueueParts, *tasks: ScrapeTask) -> None:
    parts.queue.publish(tasks, fence=1, observed_at=SEEN)


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("status", [Settlement.FAILED, Settlement.POISON])
def test_an_old_leases_failure_says_nothing_of_a_plain_consumers_delivery(parts, status, noticed):
    publish(parts, task(0, 1))
    (old,) = parts.leases.lease(1, visibility_s=60)
    parts.leases.release([old])
    parts.client.lpop(LISTS[1])
    if noticed:
        parts.queue.tick()
    before = read_books(parts.client).records
    assert parts.leases.settle(old, status) == ("taken" if noticed else "late")
    assert read_books(parts.client).records == before


def test_what_an_old_lease_has_done_counts_whoever_has_the_task_now(parts):
    publish(parts, task(0, 1))
    (old,) = parts.leases.lease(1, visibility_s=60)
    parts.leases.release([old])
    parts.client.lpop(LISTS[1])
    parts.queue.tick()
    assert parts.leases.settle(old, Settlement.DONE) == "settled"


def test_a_withdrawn_task_that_is_settled_twice_in_one_call_is_let_go_once(parts):
    publish(parts, task(0, 1), task(2, 1))
    (lease,) = parts.leases.lease(1, visibility_s=60)
    parts.queue.withdraw([lease.id], fence=1)
    parts.leases.settle_done([lease, lease])
    assert parts.client.hget("recon:q:stats", "open:1") == b"1"


def test_a_silent_consumers_task_comes_back_at_once_though_others_have_cooled(parts):
    publish(parts, task(0, 1), task(2, 1))
    parts.client.lpop(LISTS[1])
    parts.queue.tick()
    (failed,) = parts.leases.lease(1, visibility_s=60)
    parts.leases.settle(failed, Settlement.FAILED)
    parts.client.zadd("recon:q:lease", {task(0, 1).id: 0})
    parts.queue.tick()
    parts.client.zadd("recon:q:cool", {failed.id: 0})
    assert parts.queue.reopen([task(0, 1)]) == {task(0, 1).id: "reopened"}
    assert parts.client.lrange(LISTS[1], 0, -1) == [task(0, 1).body]


def test_a_task_that_a_plain_consumer_pushed_back_elsewhere_is_where_it_stands(parts):
    publish(parts, task(0, 1))
    parts.client.lpop(LISTS[1])
    parts.client.rpush(LISTS[3], task(0, 1).body)
    parts.queue.tick()
    (lease,) = parts.leases.lease(1, visibility_s=60)
    assert (lease.id, lease.priority) == (task(0, 1).id, Priority.LOW)


def test_a_lost_body_stops_neither_the_release_nor_the_requeueing_of_others(parts):
    publish(parts, task(0, 1), task(2, 1))
    first, second = parts.leases.lease(2, visibility_s=60)
    parts.client.hdel("recon:q:body", first.id)
    assert parts.leases.release([first, second]) == {first.id: "lost", second.id: "released"}
    parts.leases.settle_done([first, second])
    assert parts.queue.requeue([first.id, second.id]) == {first.id: "unknown", second.id: "requeued"}


def test_a_tick_counts_what_is_in_flight_anew(parts):
    publish(parts, task(0, 1), task(2, 1))
    parts.queue.limit("nba_api", in_flight=1)
    (lease,) = parts.leases.lease(2, visibility_s=60)
    parts.client.hdel("recon:q:meta", lease.id)
    parts.queue.tick()
    assert len(parts.leases.lease(2, visibility_s=60)) == 1


def test_a_rate_lets_a_burst_out_and_then_one_an_interval(parts):
    publish(parts, task(0, 1), task(2, 1), task(4, 2))
    parts.queue.limit("nba_api", interval_s=600, burst=2)
    assert len(parts.leases.lease(3, visibility_s=60)) == 2
    assert parts.leases.lease(3, visibility_s=60) == []
    due = float(parts.client.hget("recon:q:src", "t:nba_api"))
    parts.client.hset("recon:q:src", "t:nba_api", f"{due - 600_000:.0f}")
    assert len(parts.leases.lease(3, visibility_s=60)) == 1


def test_ten_thousand_tasks_can_be_leased_and_settled_at_once(parts, broker):
    wide = dict.fromkeys(Priority, 10_000)
    queue = RedisTaskQueue(broker, lake=LAKE, caps=wide, max_per_run=10_000)
    queue.publish([task(number, 1) for number in range(10_000)], fence=1, observed_at=SEEN)
    got = parts.leases.lease(10_000, visibility_s=60)
    assert len({lease.id for lease in got}) == 10_000
    assert set(parts.leases.settle_done(got[:5_000]).values()) == {"settled"}
    assert parts.client.llen("recon:results") == 5_000
