"""Clocks that are wrong by an hour: queues and leases go by Redis' own, cycles by no order of instants."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from s3_server import S3Server, use_credentials
from steps_place import GONE, place

from recon import access, wiring
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.sdk import Consumer
from workers import steps

__all__ = ["place"]

HOUR_S = 3600.0


class Clock:
    """This process' clock, by which the engine goes; ``off_s`` is how much it is ahead."""

    def __init__(self, place, monkeypatch) -> None:
        self.off_s = 0.0
        now, seconds = access.now, time.time
        for module in (access, wiring):
            monkeypatch.setattr(module, "now", lambda: now() + timedelta(seconds=self.off_s))
        monkeypatch.setattr(time, "time", lambda: seconds() + self.off_s)
        place.configure()


@pytest.fixture
def clock(place, monkeypatch):
    return Clock(place, monkeypatch)


def cycle(place, every_s: float = HOUR_S) -> dict:
    """Have beat's task begin a cycle, and take its steps; return the report."""
    begun = steps.slot_cycle(every_s)
    assert begun is not None
    cycle_id, flags = begun
    place.scanned(cycle_id, flags)
    steps.finish(cycle_id)
    assert place.state(cycle_id, "error") is None
    return place.state(cycle_id, "report")


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S])
def test_an_engine_whose_clock_is_an_hour_off_gives_the_same_queues(place, clock, off_s):
    clock.off_s = off_s
    assert cycle(place)["verdicts"]["missing"] == len(GONE)
    assert place.queued() == GONE
    clock.off_s = 0.0
    place.heals()


def test_a_clock_that_steps_back_an_hour_between_two_cycles_stops_neither(place, clock):
    clock.off_s = HOUR_S
    first = cycle(place, 0.001)
    clock.off_s = 0.0
    second = cycle(place, 0.001)
    assert second["cycle_id"] < first["cycle_id"]
    assert second["tasks"]["published"] == 0
    assert place.queued() == GONE
    assert place.ledger.current() is None
    assert steps.stuck() == []
    assert steps.due_cycles() == []
    assert place.state(first["cycle_id"], "report") == first


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S])
def test_a_cycle_takes_the_interval_that_it_is_by_redis_and_none_of_those_to_come(place, clock, off_s):
    before_s, _ = place.client.time()
    clock.off_s = off_s
    cycle(place)
    after_s, _ = place.client.time()
    (slot,) = place.client.keys("recon:cycle:slot:*")
    assert int(slot.rpartition(b":")[2]) in {before_s // HOUR_S, after_s // HOUR_S}


def test_a_lake_whose_clock_is_another_is_told_in_the_log(place, monkeypatch, caplog):
    use_credentials(monkeypatch)
    with S3Server([b"box/000.json"]) as lake:
        lake.ahead_s = HOUR_S
        place.configure(f"s3: {{endpoint_url: '{lake.url}', region: us-east-1}}\n")
        monkeypatch.setenv("RECON_LAKE", f"s3://{lake.bucket}")
        place.scanned("one")
        steps.finish("one")
    # The Date of an answer has whole seconds, and what the answer took proves nothing.
    assert re.search(r"cycle one: the engine's clock is (3598|3599|3600) s behind the lake's", caplog.text)


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S])
def test_a_lease_lasts_as_long_as_redis_says_whatever_the_clocks_of_engine_and_scraper(place, clock, off_s):
    cycle(place)
    clock.off_s = off_s
    broker = RedisBroker.connect(place.server.url)
    queue = RedisTaskQueue(broker, lake=f"file://{place.lake}")
    with Consumer(place.server.url, idle_s=0.05) as consumer:
        task = next(iter(consumer))
        queue.tick()
        assert place.queued() == GONE - set(task.keys)
        task.done()
    broker.close()
