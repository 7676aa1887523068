import numpy as np
import pytest
from declared import binding, bound_pattern, catalog, dataset, notices

from recon.core.dimensions import parse_seasons
from recon.errors import ConfigError

CURRENT = parse_seasons("2000-01..current")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("seasn", "'{seasn}' is a wildcard, but '{season}' is filled by the declared seasons"),
        ("Team", "'{Team}' is a wildcard, but '{team}' is a dimension"),
        ("taem", "'{taem}' is a wildcard, but '{team}' is a dimension"),
        ("tea", "'{tea}' is a wildcard, but '{team}' is a dimension"),
        ("ream", "'{ream}' is a wildcard, but '{team}' is a dimension"),
        (
            "game_ids",
            "'{game_ids}' is a wildcard, but '{game_id}' is a column of catalog 'games' (for_each: games)",
        ),
        (
            "game_id",
            "'{game_id}' is a wildcard, but that is also a column of catalog 'games' (for_each: games)",
        ),
    ],
)
def test_a_wildcard_that_resembles_something_declared_is_noted(name, said):
    games = catalog("games", {"game_id": ["a"]})
    told = notices(
        dataset(f"a/{{{name}}}", seasons=CURRENT), dimensions={"team": {"values": ["A"]}}, catalogs=[games]
    )
    assert told == f"src.kind: {said}"


@pytest.mark.parametrize(
    "pattern", ["a/{player1}_{player2}", "a/{stat_type}", "a/{player_2}", "a/{te}", "a/{mate}"]
)
def test_numbered_and_other_wildcards_are_fine(pattern):
    assert (
        notices(dataset(pattern), dimensions={"player": {"values": ["A"]}, "team": {"values": ["A"]}}) == ""
    )


def test_a_season_without_declared_seasons_is_noted():
    assert notices(dataset("a/{season}")) == (
        "src.kind: '{season}' is a wildcard: neither source nor type declares seasons"
    )


def test_the_format_of_a_wildcard_is_noted():
    assert "the format of '{n:03d}' has no effect" in notices(dataset("a/{n:03d}"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2000-01..2024-25", 'end at 2024-25, before the current season (2025-26); use "2000-01..current"'),
        (["2004", "2005", "2006-2024"], 'end at 2024, before the current season (2026); use "2004..current"'),
        (
            {"nba": "1946-2025", "aba": "1967-1976"},
            "the seasons of nba of src end at 2025, before the current season (2026)",
        ),
    ],
)
def test_a_list_that_ends_before_the_current_season_is_noted_once(value, said):
    seasons = parse_seasons(value)
    told = notices(
        dataset("a/{season}", seasons=seasons), dataset("b/{season}", name="src.other", seasons=seasons)
    )
    assert said in told
    assert told.count("end at") == 1


@pytest.mark.parametrize(
    "value",
    ["2000-01..current", "2000-2026", ["2025-26"], "spring", {"nba": "1946..current", "aba": "1967-1976"}],
)
def test_a_list_that_reaches_the_current_season_is_fine(value):
    assert notices(dataset("a/{season}", seasons=parse_seasons(value))) == ""


def test_a_dimension_of_seasons_is_looked_at_too_by_its_own_start():
    dimension = {"season": {"seasons": "2000-01..2024-25", "starts": "11-15"}}
    assert notices(dataset("a/{season}"), dimensions=dimension) == ""
    later = np.datetime64("2025-12-01", "s")
    assert "dimension 'season' end at 2024-25" in notices(
        dataset("a/{season}"), dimensions=dimension, now=later
    )


@pytest.mark.parametrize(
    ("seasons", "description", "line"),
    [
        ("1946..current", "Tracking (2013-2025)", 'seasons: "2013-2025"'),
        ("1996-97..current", "Tracking, 2013–2025", 'seasons: "2013-14..2024-25"'),
    ],
)
def test_a_description_that_disagrees_brings_the_line_to_paste(seasons, description, line):
    declared = dataset("a/{season}", seasons=parse_seasons(seasons), description=description)
    assert line in notices(declared)
    assert bound_pattern(declared).axes[0].size > 20


@pytest.mark.parametrize(
    ("seasons", "pattern", "description"),
    [
        ("2013..2026", "a/{season}", "Tracking (2013-2026)"),
        ("2013-14..2025-26", "a/{season}", "Tracking (2013-2026)"),
        ("2013-14..2025-26", "a/{season}", "Tracking (2013-2025)"),
        ("1946..2026", "a/{award}", "Awards (2002-2025)"),
        ("1946..2026", "a/{season}", "Players 2000-01 on, (1999-2001) and (2002-2005)"),
        ("1946..2026", "a/{season}", "All-time records"),
    ],
)
def test_a_description_that_agrees_or_says_nothing_clear_is_left_alone(seasons, pattern, description):
    assert notices(dataset(pattern, seasons=parse_seasons(seasons), description=description)) == ""


def test_an_except_that_leaves_nothing_out_is_noted():
    declared = dataset(
        "a/{season}", seasons=parse_seasons("2020..2026"), except_values=(("season", ("2020", "1999")),)
    )
    assert notices(declared) == "src.kind: except season [1999] leaves nothing out"


def test_an_except_of_an_unknown_name_is_an_error():
    with pytest.raises(ConfigError, match=r"src.kind: except names 'seasn', which no pattern enumerates"):
        binding(dataset("a/{season}", seasons=CURRENT, except_values=(("seasn", ("2020",)),)))


def test_seasons_of_a_type_beyond_its_source_s_are_noted():
    declared = dataset(
        "a/{season}", seasons=parse_seasons("2020..2026"), type_seasons=parse_seasons("2025-2028")
    )
    assert notices(declared) == (
        "src.kind: its own seasons only narrow those of 'src', which do not hold 2027, 2028; "
        "add them there to expect them"
    )


def test_a_source_s_seasons_that_a_dimension_displaces_are_noted_once():
    told = notices(
        dataset("a/{season}", seasons=parse_seasons("2000-01..2001-02")),
        dataset("b/{season}", name="src.other", seasons=parse_seasons("2000-01..2001-02")),
        dimensions={"season": {"seasons": "2020-21..current"}},
    )
    assert told == (
        "the seasons of src have no effect: the dimension of the same name goes first, and fills {season}; "
        "remove one of the two"
    )


def test_a_source_s_seasons_that_one_pattern_takes_are_fine():
    told = notices(
        dataset("a/{year}", "b/{season}", seasons=CURRENT), dimensions={"year": {"integers": "2020..2025"}}
    )
    assert told == ""


def test_a_type_s_seasons_that_nothing_asks_for_are_noted():
    assert notices(dataset("a/all", type_seasons=parse_seasons("2020..current"))) == (
        "src.kind: its seasons have no effect, since none of its patterns enumerates {season} or {year}"
    )


def test_a_type_s_seasons_that_only_its_number_asks_for_are_fine():
    declared = dataset("a/{id}", type_seasons=parse_seasons("2020..current"), expected_per=("season", 3))
    assert notices(declared) == ""


def test_seasons_beyond_a_dimension_are_noted_as_such():
    declared = dataset("a/{season}", type_seasons=parse_seasons("2025-2028"))
    assert "only narrow the dimension's values, which do not hold 2027, 2028" in notices(
        declared, dimensions={"season": {"seasons": "2020-21..2025-26"}}
    )
