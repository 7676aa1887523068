"""A sudden loss trips the brake by number and share; one that stands is believed, unless most is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.core.brake import BrakeLimits, Hold, releases, trips

LIMITS = BrakeLimits()
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "vanished", "tripped"),
    [
        (100, 16, True),
        (100, 15, False),  # not more than the share
        (40, 9, False),  # fewer than the least number
        (40, 10, True),
        (5, 5, True),  # all of a few
        (3, 3, True),
        (2, 2, False),
        (5, 4, False),
        (1000, 0, False),
        (0, 0, False),
        (10, -5, False),
    ],
)
def test_it_trips_on_many_that_are_a_large_share_and_on_all(before, vanished, tripped):
    assert trips(before, vanished, LIMITS) is tripped
    assert not trips(before, vanished, BrakeLimits(enabled=False))


@pytest.mark.parametrize(
    ("vanished", "hours", "cycles", "released"),
    [
        (30, 24, 2, True),
        (30, 23.9, 2, False),
        (30, 24, 1, False),
        (50, 24, 2, True),
        (51, 1000, 50, False),
    ],
)
def test_it_releases_after_a_day_and_two_complete_cycles_unless_most_is_gone(
    vanished, hours, cycles, released
):
    hold = Hold(NOW - timedelta(hours=hours), "c", cycles)
    assert releases(100, vanished, hold, NOW, LIMITS) is released
