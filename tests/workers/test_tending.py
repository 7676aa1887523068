"""Between cycles claims are settled, room is filled, and a cycle begins early when the queues run dry."""

from __future__ import annotations

import logging

import pytest
from steps_place import GONE, due_now, place

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases
from recon.model import Settlement
from workers import steps, tending
from workers.schedule import entries

__all__ = ["place"]

SMALL_BATCHES = "task_queue: {max_tasks_per_priority: {critical: 1, high: 1, medium: 1, low: 1}}\n"


@pytest.fixture
def leases(place):
    tending._report.cache_clear()
    tending._findings.cache_clear()
    broker = RedisBroker.connect(place.server.url)
    yield RedisLeases(broker)
    broker.close()


def in_small_tasks(place, more: str = "") -> None:
    """Let each task ask for one key."""
    inventory = place.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("nba: {", "nba: {batch_size: 1, "))
    place.configure(more)


def work(place, leases, *, fill: bool = True) -> int:
    """Take every task that is there, and fill its keys; return how many there were."""
    taken = leases.lease(100, visibility_s=60)
    for lease in taken:
        for key in place.keys_of(lease.body) if fill else ():
            (place.lake / key).write_text("x")
        leases.settle(lease, Settlement.DONE)
    return len(taken)


def cycle(place, name: str) -> dict:
    place.scanned(name)
    steps.finish(name)
    return place.state(name, "report")


def test_with_no_cycle_yet_there_is_nothing_to_tend(place):
    done = tending.tend()
    assert (done.closed, done.waiting) == (0, 0)
    assert due_now(place) == []


def test_room_that_claims_leave_is_filled_until_every_gap_is_closed(place, leases):
    in_small_tasks(place, SMALL_BATCHES)
    report = cycle(place, "one")
    assert report["tasks"]["deferred"] == len(GONE) - 1
    rounds = 0
    while work(place, leases):
        assert tending.tend().closed == 1
        rounds += 1
    assert rounds == len(GONE)
    assert all((place.lake / key).exists() for key in GONE)


def test_queues_that_ran_dry_begin_a_cycle_once_the_last_one_is_old_enough(place, leases):
    place.configure("reconciliation_loop: {min_interval: 0s}\n")
    cycle(place, "one")
    assert tending.tend() is not None
    assert due_now(place) == [], "tasks are waiting"
    work(place, leases)
    tending.tend()
    (early,) = due_now(place)
    assert cycle(place, early)["verdicts"]["missing"] == 0
    tending.tend()
    assert due_now(place) == [], "nothing came of the queues since"


def test_a_cycle_that_has_just_ended_is_not_followed_at_once(place, leases):
    place.configure("reconciliation_loop: {min_interval: 1h}\n")
    cycle(place, "one")
    work(place, leases)
    tending.tend()
    assert due_now(place) == []


def test_a_scraper_that_is_paused_is_told_once(place, leases, caplog):
    place.configure("scrapers_defaults: {breaker: {refuted_in_row: 1}}\n")
    cycle(place, "one")
    work(place, leases, fill=False)
    with caplog.at_level(logging.WARNING):
        tending.tend()
        tending.tend()
    told = [record.getMessage() for record in caplog.records if "is paused" in record.getMessage()]
    assert len(told) == 1
    assert "nba" in told[0]


def test_a_newer_cycle_that_has_begun_fills_the_queues_itself(place, leases):
    in_small_tasks(place, SMALL_BATCHES)
    cycle(place, "one")
    work(place, leases)
    place.ledger.acquire("two", "{}")
    assert tending.tend().closed == 1
    assert place.queued() == set()


def test_beat_tends_the_queues_whether_cycles_are_scheduled_or_not(place):
    chosen = steps.engine().settings
    assert {entry["task"] for entry in entries(chosen).values()} >= {"recon.tend", "recon.watchdog"}
