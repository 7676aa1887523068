"""Which gap is urgent, rule by rule."""

from __future__ import annotations

import polars as pl
import pytest
from declared import NOW, bound_type, catalog, dataset

from recon.core.domain import Domain
from recon.core.rank import Policy, by_completeness, ranked, stale_pins
from recon.model import Priority

SEASON = {"season": {"seasons": "2019-20..2025-26"}}
DAY = {"day": {"every": "day", "start": "2020-01-01", "end": "now"}}
GAMES = catalog(
    "games",
    {
        "id": ["a", "b", "c"],
        "date": ["2025-10-30", "2025-10-01", "2020-10-01"],
        "season": ["2025-26", "2025-26", "2019-20"],
    },
    due="date",
    partition="season",
)


def priority(key: str, pattern: str, policy: Policy = Policy(), **settings) -> Priority:  # noqa: B008 - frozen
    place = {name: settings.pop(name) for name in ("dimensions", "catalogs") if name in settings}
    bound = bound_type(dataset(pattern, **settings), **place)
    domain = Domain(bound, bound.expectations[0])
    ordinals = domain.encode(pl.Series([key]))
    assert ordinals[0] >= 0
    return Priority(int(ranked(domain, ordinals, policy, NOW).priorities[0]))


@pytest.mark.parametrize(
    ("day", "level"),
    [
        ("2025-10-30", Priority.CRITICAL),
        ("2025-10-25", Priority.CRITICAL),
        ("2025-10-20", Priority.HIGH),
        ("2025-08-01", Priority.MEDIUM),
        ("2021-08-01", Priority.LOW),
    ],
)
def test_a_required_time_step_is_critical_for_seven_days_and_then_ages(day, level):
    assert priority(f"d/{day}", "d/{day}", dimensions=DAY) is level


def test_an_optional_time_step_is_medium_at_most():
    assert priority("d/2025-10-30", "d/{day}", dimensions=DAY, required=False) is Priority.MEDIUM


@pytest.mark.parametrize(
    ("season", "level"),
    [
        ("2025-26", Priority.HIGH),
        ("2024-25", Priority.MEDIUM),
        ("2023-24", Priority.MEDIUM),
        ("2022-23", Priority.LOW),
    ],
)
def test_without_pins_the_current_season_is_high_and_the_two_before_are_medium(season, level):
    assert priority(f"s/{season}", "s/{season}", dimensions=SEASON) is level


def test_a_season_newer_than_every_pinned_one_is_high_too():
    pins = Policy(high_seasons=("2023-24",), medium_seasons=("2022-23",))
    assert priority("s/2025-26", "s/{season}", pins, dimensions=SEASON) is Priority.HIGH
    assert priority("s/2022-23", "s/{season}", pins, dimensions=SEASON) is Priority.MEDIUM


@pytest.mark.parametrize(
    ("game", "level"), [("a", Priority.CRITICAL), ("b", Priority.HIGH), ("c", Priority.LOW)]
)
def test_a_row_is_ranked_by_its_due_column_and_season(game, level):
    assert priority(f"g/{game}", "g/{id}", catalogs=[GAMES], for_each="games") is level


def test_a_declared_priority_lifts_one_level_but_never_into_critical():
    assert (
        priority("s/2022-23", "s/{season}", dimensions=SEASON, declared_priority="IMMEDIATE")
        is Priority.MEDIUM
    )
    assert priority("s/2025-26", "s/{season}", dimensions=SEASON, declared_priority="HIGH") is Priority.HIGH
    assert priority("s/2022-23", "s/{season}", dimensions=SEASON, declared_priority="EXECUTE") is Priority.LOW


def test_data_without_time_is_low():
    assert priority("x.json", "x.json") is Priority.LOW


@pytest.mark.parametrize(
    ("have", "level"),
    [(4, Priority.CRITICAL), (7, Priority.HIGH), (9, Priority.MEDIUM), (10, Priority.LOW)],
)
def test_completeness_gives_a_counted_gap_its_level(have, level):
    assert by_completeness(have, 10, Policy()) is level


def test_the_current_season_follows_the_declared_start_of_seasons():
    late = {"season": {"seasons": "2019-20..2025-26", "starts": "11-15"}}
    assert priority("s/2024-25", "s/{season}", dimensions=late) is Priority.HIGH


def test_of_a_list_that_has_ended_the_last_season_is_the_current_one():
    ended = {"season": {"seasons": "2019-20..2022-23"}}
    assert priority("s/2022-23", "s/{season}", dimensions=ended) is Priority.HIGH
    assert priority("s/2020-21", "s/{season}", dimensions=ended) is Priority.MEDIUM


def test_a_pinned_word_does_not_make_what_has_no_season_urgent():
    assert priority("x.json", "x.json", Policy(high_seasons=("spring",))) is Priority.LOW


@pytest.mark.parametrize(
    ("pins", "stale"),
    [
        (("2024-25",), True),
        (("2025",), True),
        (("2025-26", "2020-21"), False),
        ((), False),
        (("spring",), False),
    ],
)
def test_pins_that_lie_before_the_current_season_are_noted(pins, stale):
    told = stale_pins(Policy(high_seasons=pins), NOW)
    assert [notice.message[:59] for notice in told] == (
        ["gap_detection.high_priority_seasons ends at 2024-25, before"] if stale else []
    )
    assert stale_pins(Policy(high_seasons=("2024-25",)), NOW, (11, 15)) == []


def test_rows_that_only_live_have_no_time_of_their_own():
    stations = catalog("st", {"id": ["a"], "opened": ["2025-10-30"]}, starts="opened")
    assert priority("s/a", "s/{id}", catalogs=[stations], for_each="st") is Priority.LOW
