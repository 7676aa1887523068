"""Cycles that fail on a real Valkey: told, tried again, healed by the next one."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from steps_place import GONE, WANTED, Place, breakable, due_now, own_valkey, place

from recon import cycle
from workers import retrying, steps

__all__ = ["breakable", "own_valkey", "place"]


# ---- failed, and tried again


def gone(place: Place) -> Path:
    return place.lake.rename(place.folder / "unmounted")


def test_a_scheduled_cycle_whose_lake_is_away_is_tried_again_as_often_as_configured(place):
    place.configure("reconciliation_loop: {max_retries: 2}\n")
    away = gone(place)
    cycle_id, flags = steps.slot_cycle(3600.0)
    tried = []
    for _ in range(5):
        assert steps.begin(cycle_id, flags) is None
        assert place.ledger.current() is None
        tried.append(cycle_id)
        for waiting in place.client.zrange("recon:cycle:next", 0, -1, withscores=True):
            assert waiting[1] < (time.time() + retrying.LONGEST_WAIT_S) * 1000
        coming = due_now(place)
        if not coming:
            break
        (cycle_id,) = coming
        flags = json.loads(place.ledger.flags(cycle_id))
    assert tried == [tried[0], f"{tried[0]}-r1", f"{tried[0]}-r2"]
    assert "unmounted" not in place.state(tried[-1], "error")["message"]
    away.rename(place.lake)
    place.heals()


def test_a_failure_delivered_twice_is_tried_again_once(place):
    away = gone(place)
    cycle_id, flags = steps.slot_cycle(3600.0)
    steps.begin(cycle_id, flags)
    steps.begin(cycle_id, flags)
    assert due_now(place) == [f"{cycle_id}-r1"]
    away.rename(place.lake)
    place.scanned(f"{cycle_id}-r1", {"attempt": 1})
    steps.finish(f"{cycle_id}-r1")
    assert place.queued() == GONE
    assert due_now(place) == []


def test_any_cycle_that_begins_makes_a_waiting_attempt_unneeded(place):
    away = gone(place)
    steps.begin(*steps.slot_cycle(3600.0))
    away.rename(place.lake)
    place.heals()
    assert due_now(place) == []


def test_a_cycle_that_somebody_waits_for_is_not_tried_again_behind_their_back(place):
    gone(place)
    assert steps.begin("one", {}) is None
    assert place.state("one", "error")["may_pass"] is True
    assert due_now(place) == []


def test_a_wrong_configuration_is_not_tried_again(place):
    cycle_id, flags = steps.slot_cycle(3600.0)
    (place.folder / "inventory.yaml").write_text("nonsense: 1\n")
    assert steps.begin(cycle_id, flags) is None
    assert place.state(cycle_id, "error")["exit_code"] == 2
    assert due_now(place) == []
    assert place.ledger.current() is None


def test_an_error_that_nobody_foresaw_ends_the_cycle_too(place, monkeypatch):
    def breaks(*_):
        raise ZeroDivisionError("a bug")

    place.scanned("one", {"attempt": 0})
    monkeypatch.setattr(cycle, "compare", breaks)
    with pytest.raises(ZeroDivisionError):
        steps.finish("one")
    assert place.state("one", "error")["message"] == "a bug"
    assert place.ledger.current() is None
    assert due_now(place) == ["one-r1"]


def test_a_shard_that_cannot_report_makes_its_keys_unknown_and_the_cycle_ends(place, monkeypatch):
    def breaks(*_):
        raise OSError("no space left on device")

    shard_ids = steps.begin("one", {})
    monkeypatch.setattr(cycle, "scan_shard", breaks)
    assert steps.scan_shard("one", shard_ids[0])
    steps.finish("one")
    report = place.state("one", "report")
    assert report["verdicts"]["unknown"] == len(WANTED)
    assert report["observed"]["shards"]["failed"] == 1
    assert place.queued() == set()


# ---- Redis fails


def test_redis_that_loses_everything_mid_cycle_ends_the_cycle_and_the_next_one_heals(place, monkeypatch):
    real = cycle.scan_shard

    def flushed(*args):
        place.client.flushall()
        return real(*args)

    (shard_id,) = steps.begin("one", {})
    monkeypatch.setattr(cycle, "scan_shard", flushed)
    assert not steps.scan_shard("one", shard_id)
    assert "ledger of cycle one is gone" in place.state("one", "error")["message"]
    monkeypatch.setattr(cycle, "scan_shard", real)
    place.heals()


def test_a_begin_after_redis_lost_everything_scans_the_same_plan_anew(place):
    place.scanned("one")
    plan = place.state("one", "plan")
    place.client.flushall()
    place.scanned("one")
    assert place.state("one", "plan") == plan
    steps.finish("one")
    assert place.queued() == GONE


def test_redis_killed_in_the_middle_of_a_publication_is_waited_for(breakable, monkeypatch):
    place, real = breakable, cycle.publish
    deaths = iter([1])
    revival = threading.Timer(1.0, place.server.start)

    def killed(queue, judged, found, fence, withheld):
        write = queue._write

        def cut_off(script, *args):
            words = write(script, *args)
            for _ in deaths:
                place.server.kill()
                revival.start()
            return words

        monkeypatch.setattr(queue, "_write", cut_off)
        return real(queue, judged, found, fence, withheld)

    place.scanned("one")
    monkeypatch.setattr(cycle, "publish", killed)
    steps.finish("one")
    revival.join()
    place.client = place.server.client
    monkeypatch.setattr(cycle, "publish", real)
    assert place.state("one", "report") is not None
    assert place.state("one", "error") is None
    assert place.queued() == GONE
    place.heals()


def test_a_redis_that_stays_away_fails_the_cycle_which_goes_on_once_it_is_back(breakable, monkeypatch):
    place = breakable
    monkeypatch.setattr(retrying, "BROKER_PATIENCE_S", 0.1)
    monkeypatch.setattr(steps, "FINISH_LEASE_S", 0.5)
    real = cycle.compare

    def dies(*args):
        place.server.kill()
        return real(*args)

    place.scanned("one", {"attempt": 0})
    monkeypatch.setattr(cycle, "compare", dies)
    steps.finish("one")
    assert "check that the server runs" in place.state("one", "error")["message"]
    monkeypatch.setattr(cycle, "compare", real)
    place.server.start()
    place.client = place.server.client
    time.sleep(0.6)
    for cycle_id, shard_ids in steps.stuck():
        assert (cycle_id, shard_ids) == ("one", [])
        steps.finish(cycle_id)
    assert place.state("one", "error") is None
    assert place.queued() == GONE
    place.heals()


# ---- what a server must be


def test_a_redis_that_may_evict_is_refused_at_the_start_of_every_cycle(place):
    place.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert steps.begin("one", {}) is None
    finally:
        place.client.config_set("maxmemory-policy", "noeviction")
    assert "broker: maxmemory-policy is allkeys-lru" in place.state("one", "error")["message"]
    place.heals()


def test_a_redis_without_an_append_only_file_is_a_warning_of_every_cycle(place):
    place.client.config_set("appendonly", "no")
    try:
        place.scanned("one")
        steps.finish("one")
    finally:
        place.client.config_set("appendonly", "yes")
    (line,) = [line for line in place.state("one", "report")["warnings"] if "appendonly" in line]
    assert line.startswith("broker: appendonly is off")
    assert place.queued() == GONE


def test_limits_of_performance_that_were_exceeded_are_named_with_what_was_measured(place):
    place.configure("performance: {task_generation_max_seconds: 0, full_cycle_max_minutes: 10}\n")
    place.scanned("one")
    steps.finish("one")
    lines = [line for line in place.state("one", "report")["warnings"] if "performance" in line]
    assert len(lines) == 1
    assert lines[0].startswith("performance.task_generation_max_seconds is 0: the publication took ")


def test_a_second_lake_on_the_same_prefix_is_a_wrong_configuration(place):
    place.heals()
    (place.folder / "other").mkdir()
    place.lake = place.folder / "other"
    place.configure()
    assert steps.begin("zzz-other", {}) is None
    told = place.state("zzz-other", "error")
    assert told["exit_code"] == 2
    assert "queues.prefix" in told["message"]
    assert place.queued() == GONE
