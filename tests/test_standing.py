"""The standing of an engine, over a real state and a real Valkey, well and broken."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from steps_place import Place, breakable, own_valkey, place

from recon import access, outlook
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases
from recon.claim_books import open_claims
from recon.core.conditions import ConditionName, Limits, conditions
from recon.core.past_run import failed_run
from recon.core.readiness import readiness
from recon.maintenance import Pause, pause
from recon.model import Priority, Settlement, TaskState
from recon.run_book import record_run
from recon.standing import standing
from workers import steps

__all__ = ["breakable", "own_valkey", "place"]


def now() -> datetime:
    return datetime.now(UTC)


def look(at: datetime | None = None):
    return standing(outlook.sources(access.settings()), at or now())


def names(found, limits: Limits | None = None) -> set[str]:
    return {one.name.value for one in conditions(found, limits or Limits(critical_gaps=10_000))}


def run_cycle(place: Place) -> str:
    cycle_id = access.new_cycle_id(now())
    place.scanned(cycle_id)
    steps.finish(cycle_id)
    steps.note_consumed("control")
    return cycle_id


def test_a_new_engine_has_no_report_and_is_not_ready(place):
    found = look()
    assert found.report is None
    assert found.unknown == {}
    assert names(found) == {"cycle late"}
    assert {check.name for check in readiness(found, Limits()) if not check.ok} == {
        "last consumed", "last cycle", "lake",
    }  # fmt: skip


def test_a_finished_cycle_and_its_queues_are_told(place):
    cycle_id = run_cycle(place)
    found = look()
    assert found.report["cycle_id"] == cycle_id
    assert sum(group.tasks for group in found.tasks) == sum(found.depths.values()) > 0
    assert {group.state for group in found.tasks} == {TaskState.READY}
    assert found.queue_counts["published"] == sum(found.depths.values())
    assert set(found.consumed) == {"control", "scan"}
    assert found.unknown == {}
    assert all(check.ok for check in readiness(found, Limits()))


def test_what_a_plain_consumer_popped_counts_as_leased(place):
    run_cycle(place)
    place.client.blpop([f"recon:queue:{level.label}" for level in Priority])
    assert {group.state for group in look().tasks} >= {TaskState.LEASED}


def test_a_killed_broker_is_a_fact_and_the_state_is_still_told(breakable):
    run_cycle(breakable)
    sources = outlook.sources(access.settings())
    assert standing(sources, now()).unknown == {}
    breakable.server.kill()
    began = time.monotonic()
    found = standing(sources, now())
    assert time.monotonic() - began < 12
    assert set(found.unknown) == {"broker", "ledger", "queues"}
    assert found.report is not None
    assert names(found) == {"broker unreachable"}
    assert not next(check for check in readiness(found, Limits()) if check.name == "broker").ok


def test_a_server_that_hangs_is_given_up_within_seconds(breakable):
    sources = outlook.sources(access.settings())
    assert standing(sources, now()).unknown == {}
    os.kill(breakable.server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert "broker" in standing(sources, now()).unknown
        assert time.monotonic() - began < 12
    finally:
        os.kill(breakable.server.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("name", "source"),
    [("claims.json", "claims"), ("latest.json", "report"), ("brake/record.json", "brake")],
)
def test_a_file_that_cannot_be_read_is_told_and_nothing_else_is_lost(place, name, source):
    run_cycle(place)
    steps.engine().ports.state.put(name, b"{broken")
    found = look()
    assert set(found.unknown) == {source}
    assert "state unreachable" in names(found)
    assert found.depths


def test_a_failed_cycle_counts_until_a_later_one_has_finished(place):
    first = run_cycle(place)
    error = {"message": "no such bucket", "kind": "LakeUnreachableError", "exit_code": 1}
    soon = now() + timedelta(seconds=2)
    record_run(steps.engine().ports.state, failed_run(access.new_cycle_id(soon), error, soon))
    found = look()
    assert found.report["cycle_id"] == first
    assert found.failed_since.message == "no such bucket"
    assert names(found) == {"cycle failed", "lake unreachable"}
    time.sleep(3)
    run_cycle(place)
    assert look().failed_since is None


def test_a_cycle_is_late_after_two_intervals(place):
    run_cycle(place)
    hour = timedelta(hours=1)
    assert names(look(now() + 1.9 * hour)) == set()
    late = look(now() + 2.1 * hour)
    assert names(late) == {"cycle late"}
    assert {check.name for check in readiness(late, Limits()) if not check.ok} == {
        "last cycle",
        "last consumed",
    }


def test_a_paused_engine_is_not_late(place):
    run_cycle(place)
    pause(steps.engine().ports.state, Pause(now(), None, "moving house"))
    found = look(now() + timedelta(hours=5))
    assert found.pause.reason == "moving house"
    assert names(found) == set()


def test_an_old_observation_is_told(place):
    run_cycle(place)
    assert "report too old" in names(look(now() + timedelta(hours=49)))


@pytest.mark.parametrize(("count", "is_told"), [(0, False), (10, False), (11, True)])
def test_more_critical_gaps_than_the_threshold_are_told(place, count, is_told):
    run_cycle(place)
    seen = look()
    seen = replace(seen, report={**seen.report, "gaps": {"by_priority": {"critical": count}}})
    assert ("critical gaps" in names(seen, Limits(critical_gaps=10))) is is_told


def test_claims_pauses_dead_letters_and_quarantine_are_told(place):
    run_cycle(place)
    ports = steps.engine().ports
    rules = outlook.claim_rules(access.settings())
    with open_claims(ports.queue, ports.state) as claims:
        claims.note_dead("nba", ["box/000.json"], "poison", now(), rules)
        claims.note_refuted("nba", ["box/007.json"], now(), rules)
        claims.pause("nba", "a person", "by hand", now())
    leases = RedisLeases(RedisBroker.connect(place.server.url))
    (lease,) = leases.lease(1, visibility_s=60)
    leases.settle(lease, Settlement.POISON, error="it broke")
    found = look()
    assert found.quarantined == 1
    assert found.scrapers["nba"].false_claims == 1
    assert [letter.scraper for letter in found.dead] == ["nba"]
    assert names(found) == {"quarantined keys", "scraper paused", "dead letters"}


def test_every_condition_says_what_to_do_next(place):
    assert all(one.next and one.words for one in conditions(look(), Limits()))
    assert len({name.value for name in ConditionName}) == 11
