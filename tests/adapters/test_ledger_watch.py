"""What the watchdog reads in the ledger: how far a cycle is, what is awaited, what is to begin."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from recon.adapters.ledger import RedisLedger

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def ledger(broker) -> RedisLedger:
    return RedisLedger(broker)


def lose_lock(redis_server) -> None:
    """Let the lock expire, as when every process of its cycle was killed."""
    redis_server.client.delete("recon:cycle:lock")


# ---- what the watchdog sees


def test_a_cycle_begun_with_flags_is_open_before_its_shards_are_known(ledger):
    ledger.acquire("one", "{}")
    ledger.acquire("one")
    assert (ledger.open_cycles(), ledger.flags("one")) == (["one"], "{}")
    ledger.finished("one")
    assert ledger.open_cycles() == []


def test_a_cycle_goes_through_its_stages(ledger, redis_server):
    stages = [ledger.stage("one")]
    ledger.acquire("one", "{}")
    stages.append(ledger.stage("one"))
    lose_lock(redis_server)
    stages.append(ledger.stage("one"))
    ledger.acquire("one", "{}")
    ledger.open("one", ["a"], NOW)
    stages.append(ledger.stage("one"))
    ledger.dispatched("one", ["a"])
    stages.append(ledger.stage("one"))
    ledger.done("one", "a", "r")
    stages.append(ledger.stage("one"))
    lose_lock(redis_server)
    ledger.acquire("two", "{}")
    stages.append(ledger.stage("one"))
    ledger.finished("one")
    stages.append(ledger.stage("one"))
    assert " ".join(stages) == "gone planning lost unsent scanning scanned overtaken finished"


def test_shards_are_forsaken_when_sent_twice_none_reported_since_and_nobody_holds_the_lock(
    ledger, redis_server
):
    ledger.acquire("one")
    ledger.open("one", ["a", "b", "c"], NOW)
    ledger.dispatched("one", ["a", "b", "c"])
    lose_lock(redis_server)
    found = [ledger.forsaken("one", 0.0)]
    ledger.dispatched("one", ["a", "b", "c"])
    time.sleep(0.02)
    found += [ledger.forsaken("one", 60.0), ledger.forsaken("one", 0.01)]
    ledger.done("one", "c", "r")
    found.append(ledger.forsaken("one", 0.01))
    ledger.dispatched("one", ["a"])
    ledger.acquire("one")
    time.sleep(0.02)
    found.append(ledger.forsaken("one", 0.01))
    assert found == [[], [], ["a", "b", "c"], [], []]


def test_a_shard_is_awaited_until_it_has_reported_or_its_cycle_is_over(ledger, redis_server):
    assert not ledger.awaits("one", "a")
    ledger.acquire("one")
    ledger.open("one", ["a", "b"], NOW)
    assert ledger.awaits("one", "a")
    assert not ledger.awaits("one", "stranger")
    ledger.done("one", "a", "r")
    assert not ledger.awaits("one", "a")
    lose_lock(redis_server)
    ledger.acquire("two")
    assert not ledger.awaits("one", "b")


# ---- cycles that are to begin


def test_a_noted_cycle_is_named_when_its_time_comes_and_again_until_it_has_begun(ledger):
    assert ledger.schedule("one", '{"attempt":1}', 0.1)
    assert not ledger.schedule("one", '{"attempt":1}', 0)
    assert ledger.due(0.1) == []
    time.sleep(0.15)
    assert ledger.due(0.1) == ["one"]
    assert ledger.flags("one") == '{"attempt":1}'
    assert ledger.due(0.1) == []
    time.sleep(0.15)
    assert ledger.due(0.1) == ["one"]
    ledger.acquire("one", '{"attempt":1}')
    time.sleep(0.15)
    assert ledger.due(0.1) == []
    assert not ledger.schedule("one", '{"attempt":1}', 0)


def test_any_cycle_that_takes_the_lock_makes_a_noted_one_unneeded(ledger):
    ledger.schedule("one", "{}", 0)
    ledger.acquire("two")
    assert ledger.due(0) == []


def test_a_noted_cycle_leaves_nothing_behind(broker, redis_server):
    ledger = RedisLedger(broker, keep_s=0.1)
    ledger.schedule("one", "{}", 60)
    time.sleep(0.15)
    assert list(redis_server.client.scan_iter()) == []
