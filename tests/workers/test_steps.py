"""Each step of a cycle on a real Valkey: delivered twice, cut off half-way, overtaken, tried again."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from redis_servers import ON_DISK, binary_of, running

from recon import cycle
from workers import retrying, steps

WANTED = [f"box/{n:03d}.json" for n in range(30)]
GONE = set(WANTED[::7])
INVENTORY = """
dimensions: {n: {integers: "0..29", width: 3}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}}}}
"""


class Place:
    """One lake with holes, one state, one broker; the steps of this process work on it."""

    def __init__(self, folder: Path, server) -> None:
        self.folder, self.server, self.client = folder, server, server.client
        self.lake = folder / "lake"
        (self.lake / "box").mkdir(parents=True)
        for key in set(WANTED) - GONE:
            (self.lake / key).write_text("x")
        (folder / "inventory.yaml").write_text(INVENTORY)
        self.configure()

    def configure(self, more: str = "") -> None:
        text = f"lake: file://{self.lake}\nbroker: {self.server.url}\ninventory: inventory.yaml\n{more}"
        (self.folder / "recon.yaml").write_text(text)
        steps._wired.cache_clear()
        steps._loaded.cache_clear()

    @property
    def ledger(self):
        return steps.engine().ledger

    def state(self, cycle_id: str, name: str) -> dict | None:
        content = steps.engine().ports.state.get(f"cycles/{cycle_id}/{name}.json")
        return None if content is None else json.loads(content)

    def queued(self) -> set[str]:
        keys = []
        for level in ("critical", "high", "medium", "low"):
            for body in self.client.lrange(f"recon:queue:{level}", 0, -1):
                keys.extend(json.loads(body)["keys"])
        assert len(keys) == len(set(keys)), "a key is queued twice"
        return set(keys)

    def scanned(self, cycle_id: str, flags: dict | None = None) -> None:
        """Begin a cycle and look at all its shards."""
        shard_ids = steps.begin(cycle_id, flags or {})
        assert shard_ids
        steps.sent(cycle_id, shard_ids)
        assert [steps.scan_shard(cycle_id, shard_id) for shard_id in shard_ids][-1]

    def heals(self) -> None:
        """A further cycle gets the lock, and ends at the truth."""
        assert self.ledger.current() is None
        self.scanned("zz-next")
        steps.finish("zz-next")
        assert self.state("zz-next", "report")["verdicts"]["missing"] == len(GONE)
        assert self.queued() == GONE
        assert self.ledger.current() is None
        assert self.ledger.open_cycles() == []


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        yield server


@pytest.fixture
def own_valkey():
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        yield server


def place_on(server, folder, monkeypatch) -> Place:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RECON_CONFIG", str(folder / "recon.yaml"))
    return Place(folder, server)


@pytest.fixture
def place(valkey, tmp_path, monkeypatch):
    valkey.client.flushall()
    yield place_on(valkey, tmp_path, monkeypatch)
    steps._wired.cache_clear()


@pytest.fixture
def breakable(own_valkey, tmp_path, monkeypatch):
    yield place_on(own_valkey, tmp_path, monkeypatch)
    steps._wired.cache_clear()


def expire_lock(place: Place) -> None:
    """Let the lock expire, as when every process of its cycle was killed."""
    place.client.delete("recon:cycle:lock")


def due_now(place: Place) -> list[str]:
    """Let the time of every noted cycle come; return what is to begin."""
    for cycle_id in place.client.zrange("recon:cycle:next", 0, -1):
        place.client.zadd("recon:cycle:next", {cycle_id: 1})
    return [cycle_id for cycle_id, _ in steps.due_cycles()]


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

    def half(*args):
        real(*args)
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

    def killed(ports, judged, found, fence):
        write = ports.queue._write

        def cut_off(script, *args):
            words = write(script, *args)
            for _ in deaths:
                place.server.kill()
                revival.start()
            return words

        monkeypatch.setattr(ports.queue, "_write", cut_off)
        return real(ports, judged, found, fence)

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
