"""What ``recon explain`` says of a priority: the rule, its values, and what lifted or capped it."""

import polars as pl
import pytest
from declared import NOW, bound_type, catalog, dataset

from recon.core.domain import Domain
from recon.core.rank import Policy
from recon.core.rank_words import ranking_words

SEASON = {"season": {"seasons": "2019-20..current"}}
DAY = {"day": {"every": "day", "start": "2020-01-01", "end": "now"}}


def words(key, pattern, policy=Policy(), **settings):  # noqa: B008 - frozen
    place = {name: settings.pop(name) for name in ("dimensions", "catalogs") if name in settings}
    bound = bound_type(dataset(pattern, **settings), **place)
    domain = Domain(bound, bound.expectations[0])
    (ordinal,) = domain.encode(pl.Series([key])).tolist()
    return ranking_words(domain, ordinal, policy, NOW)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("2025-10-30", "required, and due within the last 7 days (due 2025-10-31T00:00:00Z)"),
        (
            "2025-10-10",
            "of a high-priority season, or a step of the last 30 days (its step ended 2025-10-11T00:00:00Z)",
        ),
        ("2021-10-10", "older, or without time (its step ended 2021-10-11T00:00:00Z)"),
    ],
)
def test_a_step_is_told_by_its_rule_and_its_end(key, said):
    assert words(f"d/{key}", "d/{day}", dimensions=DAY) == said


def test_a_season_is_told_beside_the_current_one_and_the_pins():
    pins = Policy(high_seasons=("2024-25",))
    assert words("s/2020-21", "s/{season}", pins, dimensions=SEASON) == (
        "older, or without time (season 2020-21, the current one is 2025-26; high_priority_seasons: 2024-25)"
    )


def test_a_row_is_told_by_its_due_column():
    games = catalog("g", {"id": ["a"], "on": ["2025-10-05"]}, due="on")
    assert "(due 2025-10-05T00:00:00Z)" in words("a", "{id}", for_each="g", catalogs=[games])


def test_a_source_s_own_critical_days_are_the_ones_shown():
    assert words("d/2025-10-30", "d/{day}", dimensions=DAY, critical_threshold_s=3 * 86400.0).startswith(
        "required, and due within the last 3 days"
    )


def test_what_has_no_time_says_so():
    assert words("x", "x") == "older, or without time (it has no time)"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"declared_priority": "HIGH"}, "; priority: HIGH lifts it from low to medium"),
        ({"declared_priority": "EXECUTE"}, ""),
        ({"required": False}, ""),
    ],
)
def test_lifts_are_told(settings, said):
    assert words("x", "x", **settings) == f"older, or without time (it has no time){said}"


def test_caps_are_told():
    assert words("s/2025-26", "s/{season}", dimensions=SEASON, required=False).endswith(
        "; required: false caps it at medium"
    )


def test_rows_that_only_live_say_that_they_have_no_time():
    stations = catalog("st", {"id": ["a"], "opened": ["2025-10-30"]}, starts="opened")
    assert (
        words("s/a", "s/{id}", for_each="st", catalogs=[stations])
        == "older, or without time (it has no time)"
    )
