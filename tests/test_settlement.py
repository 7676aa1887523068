"""What scrapers claim is looked at: filled gaps close, false claims come back, broken scrapers are paused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cycle_place import GONE, LAKE, ODDS, Place, lake_place

from recon import cycle, findings, last_cycle
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases, RedisTaskQueue
from recon.claim_books import load_claims, save_claims
from recon.core.breaker import BreakerRule
from recon.core.claims import ClaimRules
from recon.memory import Hints
from recon.model import Lease, Settlement, TaskState
from recon.settlement import Settled, settle


@pytest.fixture
def place(valkey, monkeypatch):
    with lake_place(valkey, monkeypatch) as made:
        made.broker = RedisBroker.connect(valkey.url)
        made.leases = RedisLeases(made.broker)
        made.client = valkey.client
        yield made
        made.broker.close()


def keys_of(lease: Lease) -> list[str]:
    return json.loads(lease.body)["keys"]


def lease(place: Place, scraper: str = "nba") -> Lease:
    (found,) = place.leases.lease(1, visibility_s=60, scrapers=[scraper])
    return found


def fill(place: Place, keys: list[str]) -> None:
    for key in keys:
        place.server.objects.put(key.encode(), b"{}" * 100)


def settled(place: Place) -> Settled:
    done = settle(cycle.settling(place.ports, place.options))
    assert done is not None
    return done


def let_cool(place: Place) -> None:
    for name in place.client.zrange("recon:q:cool", 0, -1):
        place.client.zadd("recon:q:cool", {name: 1})
    place.queue.tick()


def states(place: Place) -> dict[str, TaskState]:
    return {task.id: task.state for task in place.queue.outstanding(LAKE)}


def test_a_task_whose_keys_are_there_is_closed_and_its_time_to_fill_is_known(place):
    place.cycle()
    task = lease(place)
    fill(place, keys_of(task))
    assert place.leases.settle(task, Settlement.DONE) == "settled"
    assert settled(place).closed == 1
    assert task.id not in states(place)
    claims = load_claims(place.ports.state)
    assert claims.scrapers["nba"].filled == len(keys_of(task))
    assert len(claims.fill_seconds) == 1
    assert place.queue.results(10) == []


def test_a_claim_that_is_not_borne_out_costs_its_keys_an_attempt_and_comes_back(place):
    place.cycle()
    task = lease(place)
    place.leases.settle(task, Settlement.DONE)
    assert settled(place).reopened == 1
    assert states(place)[task.id] is TaskState.COOLING
    claims = load_claims(place.ports.state)
    assert {claims.keys[key].attempts for key in keys_of(task)} == {1}
    assert claims.scrapers["nba"].false_claims == 1
    let_cool(place)
    assert states(place)[task.id] is TaskState.READY


def test_a_task_that_is_partly_done_asks_for_the_rest_only(place):
    place.cycle()
    task = lease(place)
    first, *rest = keys_of(task)
    assert rest
    fill(place, [first])
    place.leases.settle(task, Settlement.DONE, keys=[first])
    settled(place)
    (held,) = [one for one in place.queue.outstanding(LAKE) if one.id == task.id]
    body = json.loads(held.body)
    assert body["keys"] == rest
    assert len(body["items"]) == len(rest)
    assert load_claims(place.ports.state).keys == {}, "what was not claimed is no false claim"


def test_a_look_that_fails_decides_nothing(place):
    place.cycle()
    task = lease(place)
    fill(place, keys_of(task))
    place.leases.settle(task, Settlement.DONE)
    place.server.denied.append(b"box/")
    done = settled(place)
    assert (done.closed, done.reopened, done.waiting) == (0, 0, 1)
    assert done.failures
    assert len(place.queue.results(10)) == 1
    place.server.denied.clear()
    assert settled(place).closed == 1
    assert place.queue.results(10) == []


def test_keys_side_by_side_are_asked_for_one_by_one_where_listings_cannot_be_trusted(place):
    for key in ODDS:
        place.server.objects.delete(key.encode())
    place.cycle()
    Hints.distrust(place.ports.state, LAKE)
    task = lease(place, "odds")
    fill(place, keys_of(task))
    place.leases.settle(task, Settlement.DONE)
    place.server.requests.clear()
    done = settled(place)
    assert (done.closed, done.failures) == (1, ())
    assert (place.server.requests["list"], done.gets) == (0, len(ODDS))


def test_a_plain_consumer_may_say_what_it_did(place):
    place.cycle()
    body = json.loads(place.client.blpop(["recon:queue:critical", "recon:queue:high"], 2)[1])
    fill(place, body["keys"])
    place.client.rpush("recon:results", json.dumps({"id": body["id"], "status": "done"}))
    assert settled(place).closed == 1


def test_a_silent_plain_consumers_work_is_found_without_delivering_it_again(place):
    place.cycle()
    body = json.loads(place.client.blpop(["recon:queue:critical", "recon:queue:high"], 2)[1])
    settled(place)
    fill(place, body["keys"])
    place.client.zadd("recon:q:lease", {body["id"]: 1})
    assert settled(place).closed == 1
    assert body["id"] not in states(place)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"id":7}',
        b'{"id":"x","status":"done"}',
        b'{"id":"x","status":"no"}',
        b"[" * 100_000,
    ],
)
def test_results_that_say_nothing_are_taken_away(place, raw):
    place.cycle()
    before = states(place)
    place.client.rpush("recon:results", raw)
    settled(place)
    assert place.queue.results(10) == []
    assert states(place) == before


def test_a_key_that_is_falsely_claimed_too_often_is_given_up_and_can_be_freed(place):
    place.options = replace(place.options, claim_rules=ClaimRules(max_attempts=2, refuted_in_row=100))
    place.cycle()
    for _ in range(2):
        task = lease(place, "odds")
        place.leases.settle(task, Settlement.DONE)
        settled(place)
        let_cool(place)
    given_up = set(keys_of(task))
    assert task.id not in states(place)
    place.cycle()
    assert not given_up & place.queued()
    claims = load_claims(place.ports.state)
    claims.free(given_up)
    save_claims(place.ports.state, claims)
    place.cycle()
    assert given_up <= place.queued()


def test_an_absence_counts_once_it_is_confirmed_and_an_object_ends_it(place):
    place.cycle()
    for _ in range(2):
        task = lease(place, "odds")
        place.leases.settle(task, Settlement.ABSENT, evidence="HTTP 404 from the source")
        settled(place)
        let_cool(place)
    assert task.id not in states(place)
    report = place.cycle()
    assert report["verdicts"]["known_absent"] == len(keys_of(task))
    assert not set(keys_of(task)) & place.queued()
    fill(place, keys_of(task))
    assert place.cycle()["verdicts"]["known_absent"] == 0


def test_a_scraper_that_fails_in_a_row_is_paused_and_one_probe_opens_it_again(place):
    rules = ClaimRules(refuted_in_row=2, probe_after=timedelta(hours=1))
    place.options = replace(place.options, claim_rules=rules)
    place.cycle()
    paused: list[str] = []
    for _ in range(2):
        place.leases.settle(lease(place, "odds"), Settlement.FAILED, error="no route", delay_s=0)
        paused += settled(place).paused
    assert paused == ["odds"]
    assert "no route" in load_claims(place.ports.state).scrapers["odds"].reason
    place.cycle()
    assert not any(key.startswith("odds/") for key in place.queued())
    place.options = replace(place.options, claim_rules=ClaimRules(refuted_in_row=2, probe_after=timedelta(0)))
    place.cycle()
    probe = lease(place, "odds")
    assert place.leases.lease(9, visibility_s=60, scrapers=["odds"]) == []
    fill(place, keys_of(probe))
    place.leases.settle(probe, Settlement.DONE)
    settled(place)
    assert load_claims(place.ports.state).paused() == set()


def test_a_scraper_may_have_a_breaker_of_its_own(place):
    rules = ClaimRules(refuted_in_row=100, breakers={"odds": BreakerRule(refuted_in_row=1)})
    place.options = replace(place.options, claim_rules=rules)
    place.cycle()
    for source in ("nba", "odds"):
        place.leases.settle(lease(place, source), Settlement.FAILED, error="no route", delay_s=0)
    assert settled(place).paused == ["odds"]


def test_a_pause_refunds_the_attempts_that_its_scraper_cost(place):
    place.options = replace(place.options, claim_rules=ClaimRules(refuted_in_row=2))
    place.cycle()
    for _ in range(2):
        place.leases.settle(lease(place), Settlement.DONE)
        settled(place)
        let_cool(place)
    claims = load_claims(place.ports.state)
    assert claims.paused() == {"nba"}
    assert claims.keys == {}


def test_what_was_filled_since_the_last_look_is_not_asked_for_again(place):
    place.cycle()
    found = findings.last_findings(place.ports.state)
    task = lease(place)
    fill(place, keys_of(task))
    place.leases.settle(task, Settlement.DONE)
    settled(place)
    counts = cycle.refill(place.ports, found, last_cycle.latest_fence(place.ports.state))
    assert counts.published == 0
    assert not set(keys_of(task)) & place.queued()


def test_room_that_came_free_is_filled_from_the_last_findings(place):
    caps = dict.fromkeys(place.options.limits.per_level, 1)
    place.options = replace(place.options, limits=replace(place.options.limits, per_level=caps))
    place.ports = replace(place.ports, queue=RedisTaskQueue(place.broker, lake=LAKE, caps=caps))
    first = place.cycle()
    assert first["tasks"]["deferred"] > 0
    task = place.leases.lease(9, visibility_s=60)[-1]
    fill(place, keys_of(task))
    place.leases.settle(task, Settlement.DONE)
    settled(place)
    found = findings.last_findings(place.ports.state)
    assert cycle.refill(place.ports, found, last_cycle.latest_fence(place.ports.state)).published == 1


def test_nothing_that_was_learned_is_lost_with_redis(place):
    place.cycle()
    task = lease(place, "odds")
    place.leases.settle(task, Settlement.ABSENT, evidence="404")
    settled(place)
    before = load_claims(place.ports.state)
    place.client.flushall()
    place.cycle()
    assert place.queued() == GONE
    assert load_claims(place.ports.state).absences == before.absences


def test_two_settlements_at_once_take_turns(place):
    place.cycle()
    with place.queue.turn(10) as mine, place.queue.turn(10) as other:
        assert (mine, other) == (True, False)
        assert settle(cycle.settling(place.ports, place.options)) is None
    assert settled(place) is not None


def test_a_settlement_that_is_repeated_changes_nothing(place):
    place.cycle()
    task = lease(place)
    place.leases.settle(task, Settlement.DONE)
    settled(place)
    before = (states(place), load_claims(place.ports.state).keys)
    settled(place)
    assert (states(place), load_claims(place.ports.state).keys) == before
