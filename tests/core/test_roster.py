"""Limits and rates decide who may start a run; rates count items."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from scraper_tasks import scraper

from recon.core.roster import Roster


def made(name="a", **limits):
    return scraper("x", name=name, **limits)


def test_each_scraper_has_its_own_limit_and_all_together_have_one():
    roster = Roster([made("a", concurrency=2), made("b", concurrency=5)], jobs=4)
    assert roster.slots(0) == {"a": 2, "b": 5}
    for _ in range(2):
        roster.started("a", 1, 0)
    assert roster.slots(0) == {"b": 5}
    roster.started("b", 1, 0)
    roster.started("b", 1, 0)
    assert (roster.slots(0), roster.free) == ({}, 0)
    roster.ended("a", 1)
    assert roster.slots(0) == {"a": 1, "b": 3}


def test_a_rate_counts_items_so_that_a_large_run_is_followed_by_a_long_pause():
    roster = Roster([made(items_per_minute=20, concurrency=9)], jobs=9)
    assert roster.admits("a", 50, 0)
    roster.started("a", 50, 0)
    assert not roster.admits("a", 1, 149.9)
    assert roster.next_at_s(10) == 150
    assert roster.admits("a", 1, 150)
    roster.started("a", 1, 200)
    assert roster.next_at_s(200) == 203
    assert roster.next_at_s(203) is None


def test_a_delay_lies_between_the_starts_of_two_runs():
    roster = Roster([made(min_delay_s=3, concurrency=9)], jobs=9)
    assert roster.slots(0) == {"a": 1}
    roster.started("a", 1, 0)
    assert not roster.admits("a", 1, 2.9)
    assert roster.admits("a", 1, 3)


def test_items_at_once_are_limited_but_a_larger_run_may_go_alone():
    roster = Roster([made(items_at_once=5, concurrency=9)], jobs=9)
    assert roster.admits("a", 50, 0)
    roster.started("a", 3, 0)
    assert roster.admits("a", 2, 0)
    assert not roster.admits("a", 3, 0)
    roster.started("a", 2, 0)
    assert roster.slots(0) == {}
    roster.ended("a", 3)
    roster.ended("a", 2)
    assert roster.admits("a", 50, 0)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 30)), min_size=1, max_size=40),
    st.sampled_from([1.0, 20.0, 600.0]),
)
@settings(max_examples=200)
def test_over_any_time_no_more_items_start_than_the_rate_pays_for_and_one_run(attempts, rate):
    roster = Roster([made(items_per_minute=rate, concurrency=99)], jobs=99)
    now, started = 0.0, []
    for items, wait in attempts:
        now += wait
        if roster.admits("a", items, now):
            roster.started("a", items, now)
            started.append((now, items))
    for first in range(len(started)):
        for last in range(first + 1, len(started)):
            between = sum(items for _, items in started[first:last])
            assert between * 60 / rate <= started[last][0] - started[first][0] + 1e-6
