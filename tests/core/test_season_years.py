import numpy as np
import pytest

from recon.core.season_years import last_year, season_name, season_of, season_starts


@pytest.mark.parametrize(
    ("now", "starts", "year"),
    [
        ("2025-09-30T23:59:59", (10, 1), 2024),
        ("2025-10-01T00:00:00", (10, 1), 2025),
        ("2026-01-15T00:00:00", (10, 1), 2025),
        ("2026-01-15T00:00:00", (1, 1), 2026),
        ("1969-01-15T00:00:00", (10, 1), 1968),
    ],
)
def test_a_season_begins_on_its_first_day(now, starts, year):
    assert season_of(np.datetime64(now, "s"), starts) == year


def test_a_season_starts_at_midnight_utc():
    assert season_starts(np.array([2024, 1946])).astype(str).tolist() == [
        "2024-10-01T00:00:00",
        "1946-10-01T00:00:00",
    ]


def test_a_season_is_named_after_its_two_years():
    assert [season_name(year) for year in (1999, 2023)] == ["1999-00", "2023-24"]


def test_a_season_is_known_by_the_year_it_ends():
    assert [last_year(text) for text in ("2024-25", "1999-00", "2025", "spring")] == [2025, 2000, 2025, -1]
