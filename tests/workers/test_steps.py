"""Each step of a cycle on a real Valkey: delivered twice, cut off half-way, overtaken."""

from __future__ import annotations

import json
import time

import pytest
from steps_place import GONE, INVENTORY, due_now, expire_lock, place

from recon import cycle, wiring
from workers import retrying, steps

__all__ = ["place"]


# ---- delivered twice


def test_a_cycle_goes_through_its_steps_and_gives_the_lock_back(place):
    place.scanned("one")
    steps.finish("one")
    assert place.queued() == GONE
    assert place.state("one", "report")["tasks"]["published"] > 0
    place.heals()


def test_every_step_delivered_twice_changes_nothing(place):
    shard_ids = steps.begin("one", {})
    steps.sent("one", shard_ids)
    assert steps.begin("one", {}) is None
    for shard_id in shard_ids * 2:
        steps.scan_shard("one", shard_id)
    steps.finish("one")
    first = place.state("one", "report")
    steps.finish("one")
    assert steps.begin("one", {}) is None
    assert place.state("one", "report") == first
    assert place.state("one", "error") is None
    assert place.queued() == GONE
    place.heals()


def test_a_shard_that_has_reported_is_not_looked_at_again(place, monkeypatch):
    place.scanned("one")
    monkeypatch.setattr(cycle, "scan_shard", lambda *_: pytest.fail("it was looked at"))
    for shard_id in place.ledger.refs("one"):
        assert not steps.scan_shard("one", shard_id)


def test_two_beats_begin_one_cycle_and_a_running_one_is_not_overlapped(place):
    first = steps.slot_cycle(3600.0)
    assert first is not None
    assert steps.slot_cycle(3600.0) is None
    place.ledger.acquire(first[0])
    assert steps.slot_cycle(1e-6) is None
    assert place.ledger.stats() == {"skipped_overlap": 1}


def test_a_scheduled_cycle_whose_message_was_lost_is_begun_by_the_watchdog_once(place):
    cycle_id, flags = steps.slot_cycle(3600.0)
    assert steps.due_cycles() == []
    assert due_now(place) == [cycle_id]
    assert steps.due_cycles() == []
    place.scanned(cycle_id, flags)
    assert due_now(place) == []


# ---- cut off


def test_a_planner_that_died_before_its_shards_were_sent_is_replaced_by_a_redelivery(place):
    shard_ids = steps.begin("one", {})
    plan = place.state("one", "plan")
    (place.folder / "inventory.yaml").write_text(INVENTORY.replace("0..29", "0..99"))
    steps._loaded.cache_clear()
    assert steps.begin("one", {}) == shard_ids
    assert place.state("one", "plan") == plan
    steps.sent("one", shard_ids)
    for shard_id in shard_ids:
        steps.scan_shard("one", shard_id)
    steps.finish("one")
    assert place.queued() == GONE


def test_a_planner_that_died_before_its_shards_were_sent_is_replaced_by_the_watchdog(place, monkeypatch):
    shard_ids = steps.begin("one", {})
    assert steps.stuck() == []
    monkeypatch.setattr(steps, "SEND_DEADLINE_S", 0.02)
    time.sleep(0.05)
    assert steps.stuck() == [("one", shard_ids)]
    assert steps.stuck() == []
    for shard_id in shard_ids:
        steps.scan_shard("one", shard_id)
    assert steps.stuck() == [("one", [])]
    steps.finish("one")
    place.heals()


def test_a_planner_that_died_while_planning_ends_its_cycle_and_tells_who_waits(place):
    place.ledger.acquire("one", json.dumps({}))
    assert steps.stuck() == []
    assert place.ledger.current() == "one"
    expire_lock(place)
    assert steps.stuck() == []
    assert "died" in place.state("one", "error")["message"]
    assert steps.begin("one", {}) is None
    assert due_now(place) == []
    place.heals()


def test_a_scheduled_planner_that_died_is_tried_again(place):
    place.ledger.acquire("one", json.dumps(dict(retrying.FIRST)))
    expire_lock(place)
    steps.stuck()
    assert due_now(place) == ["one-r1"]
    place.scanned("one-r1", {"attempt": 1})
    steps.finish("one-r1")
    assert place.queued() == GONE


def test_shards_that_no_worker_reports_though_sent_twice_are_given_up_and_their_keys_unknown(
    place, monkeypatch
):
    shard_ids = steps.begin("one", {})
    steps.sent("one", shard_ids)
    monkeypatch.setattr(wiring, "SHARD_DEADLINE_S", 0.02)
    time.sleep(0.05)
    assert steps.stuck() == [("one", shard_ids)], "sent out again"
    time.sleep(0.05)
    assert steps.stuck() == [("one", shard_ids)], "somebody is at work: the lock is held"
    expire_lock(place)
    time.sleep(0.05)
    assert steps.stuck() == [("one", [])]
    steps.finish("one")
    report = place.state("one", "report")
    assert report["verdicts"]["unknown"] == report["expected"]["exact_keys"]
    assert report["observed"]["shards"]["failed"] == len(shard_ids)
    assert any("never reported" in line for line in report["warnings"])
    assert place.queued() == set()
    place.heals()


def test_a_finisher_that_died_is_succeeded_and_publishes_once(place, monkeypatch):
    place.scanned("one")
    assert place.ledger.finish("one", "the dead one", 0.05)
    steps.finish("one")
    assert place.state("one", "report") is None
    time.sleep(0.1)
    assert steps.stuck() == [("one", [])]
    steps.finish("one")
    assert place.queued() == GONE
    place.heals()


@pytest.mark.parametrize("step", ["compare", "publish", "record"])
def test_a_finisher_that_died_around_a_step_leaves_one_publication(place, monkeypatch, step):
    class Killed(BaseException):
        pass

    real = getattr(cycle, step)

    def half(*args, **named):
        real(*args, **named)
        raise Killed

    place.scanned("one")
    monkeypatch.setattr(steps, "FINISH_LEASE_S", 0.05)
    monkeypatch.setattr(cycle, step, half)
    with pytest.raises(Killed):
        steps.finish("one")
    monkeypatch.setattr(cycle, step, real)
    assert place.ledger.current() == "one"
    time.sleep(0.1)
    steps.finish("one")
    assert place.queued() == GONE
    assert place.state("one", "report")["tasks"]["outstanding"] > 0
    place.heals()


def test_a_finisher_that_takes_longer_than_its_lease_keeps_it(place, monkeypatch):
    real = cycle.compare

    def slow(*args):
        time.sleep(0.5)
        assert not place.ledger.finish("one", "another", 30)
        return real(*args)

    place.scanned("one")
    monkeypatch.setattr(steps, "FINISH_LEASE_S", 0.15)
    monkeypatch.setattr(cycle, "compare", slow)
    steps.finish("one")
    assert place.queued() == GONE


# ---- overtaken


def test_a_cycle_that_was_overtaken_is_closed_and_leaves_the_newer_one_alone(place):
    place.scanned("one")
    expire_lock(place)
    shard_ids = steps.begin("two", {})
    assert shard_ids
    steps.finish("one")
    assert place.state("one", "report") is None
    assert place.state("one", "error")["exit_code"] in {1, 5}
    assert place.ledger.open_cycles() == ["two"]
    assert place.ledger.current() == "two"
    assert place.queued() == set()


def test_the_watchdog_closes_a_cycle_that_was_overtaken_while_it_scanned(place):
    (late,) = steps.begin("one", {})
    expire_lock(place)
    steps.begin("two", {})
    steps.stuck()
    assert place.ledger.open_cycles() == ["two"]
    assert not steps.scan_shard("one", late)
    assert place.state("one", "error") is not None


def test_a_cycle_begun_while_another_runs_is_refused_and_does_not_come_back(place):
    steps.begin("one", {})
    assert steps.begin("two", {}) is None
    assert place.state("two", "error")["exit_code"] == 5
    assert place.ledger.open_cycles() == ["one"]
    assert due_now(place) == []
