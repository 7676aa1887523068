"""An engine and a lake whose clocks differ: objects are as old as the lake says, and it is told."""

from __future__ import annotations

import time

import pytest
from cycle_place import lake_place
from declared import dataset, inventory

HOUR_S, DAY_S = 3600.0, 86_400.0
DECLARED = inventory(
    dataset("box/{n}.json", name="nba.box", freshness_s=DAY_S), dimensions={"n": {"integers": "0..1"}}
)
YOUNG, OLD = b"box/0.json", b"box/1.json"


@pytest.fixture
def place(valkey, monkeypatch):
    with lake_place(valkey, monkeypatch, keys=[]) as made:
        made.declared = DECLARED
        yield made


def put(place) -> None:
    """Write an object half an hour younger than a day, and one half an hour older, by the lake's clock."""
    now_s = time.time() + place.server.ahead_s
    for key, age_s in ((YOUNG, DAY_S - HOUR_S / 2), (OLD, DAY_S + HOUR_S / 2)):
        place.server.objects.put(key, b"x", int((now_s - age_s) * 1000))


def told(report: dict) -> list[str]:
    return [line for line in report["warnings"] if line.startswith("the engine's clock is")]


@pytest.mark.parametrize(("ahead_s", "way"), [(HOUR_S, "behind"), (-HOUR_S, "ahead of")])
def test_staleness_is_judged_by_the_lake_s_clock_where_the_engine_s_is_wrong_and_it_is_told(
    place, ahead_s, way
):
    place.server.ahead_s = ahead_s
    put(place)
    report = place.cycle()
    assert (report["verdicts"]["ok"], report["verdicts"]["stale"]) == (1, 1)
    assert place.queued() == {OLD.decode()}
    (line,) = told(report)
    assert f" s {way} the lake's: staleness is judged by the lake's" in line


def test_clocks_that_differ_by_seconds_are_not_told(place):
    place.server.ahead_s = 3.0
    put(place)
    assert told(place.cycle()) == []
