"""``{days_back}`` reaches the oldest day of a task, and says where it cannot."""

from __future__ import annotations

import pytest
from scraper_tasks import NOW, task

from recon.core.days_back import days_back
from recon.core.invalid import InvalidValueError


def back(items=(), limit=None, **partition):
    return days_back(task(items, partition=partition), list(items), NOW, limit)


@pytest.mark.parametrize(
    ("items", "partition", "days"),
    [
        ([{"day": "2026-01-15T00:00:00Z"}], {}, 1),
        ([{"day": "2026-01-15T23:00:00Z"}, {"day": "2026-01-02T00:00:00Z"}], {"day": "2026-01"}, 14),
        ([{"hour": "2026-01-14T23:00:00Z", "season": "2025-26"}], {}, 2),
        ([], {"day": "2026-01-10"}, 6),
        ([], {"day": "2026-01"}, 15),
        ([{"day": "2026-02-01T00:00:00Z"}], {}, 1),
    ],
)
def test_the_oldest_day_counts_and_so_does_today(items, partition, days):
    assert back(items, **partition) == days
    assert back(items, limit=15, **partition) == days


def test_a_day_beyond_the_limit_is_refused():
    with pytest.raises(InvalidValueError, match=r"15 days, beyond limits\.days_back of 14"):
        back([{"day": "2026-01-01T00:00:00Z"}], limit=14)


@pytest.mark.parametrize("items", [[], [{"game_id": "0022400001", "season": "2025-26"}], [{"year": 2026}]])
def test_a_task_that_names_no_day_takes_the_limit(items):
    assert back(items, limit=14) == 14
    with pytest.raises(InvalidValueError, match="names no day"):
        back(items)


@pytest.mark.parametrize("value", [{"season": "2024-25"}, {"year": 2024}, {"season": "2024"}])
def test_a_season_that_is_long_over_is_out_of_reach(value):
    with pytest.raises(InvalidValueError, match="its season ended"):
        back([value], limit=14)
    assert back([value], limit=400) == 400
