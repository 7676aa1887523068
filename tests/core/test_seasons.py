import numpy as np
import pytest

from recon.core.axis import AxisKind
from recon.core.invalid import InvalidValueError
from recon.core.seasons import parse_seasons, seasons_axis

NOW = np.datetime64("2025-11-01", "s")


def enumerated(value, segments=(), now=NOW, **options):
    return seasons_axis(parse_seasons(value), ("season",), segments, now, **options)


def texts(value, segments=(), **options):
    return enumerated(value, segments, **options).texts("season").to_list()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1998-99..2000-01", ["1998-99", "1999-00", "2000-01"]),
        ("2023-24..current", ["2023-24", "2024-25", "2025-26"]),
        ("2004..2006", ["2004", "2005", "2006"]),
        ("2024..current", ["2024", "2025", "2026"]),
        ("2004-2006", ["2004", "2005", "2006"]),
        ("2023-24", ["2023-24"]),
        ("2024", ["2024"]),
        (2024, ["2024"]),
        (["2004", 2005, "2006-2008"], ["2004", "2005", "2006", "2007", "2008"]),
        (["2005-2007", "2004..2006"], ["2004", "2005", "2006", "2007"]),
        ("2020, 2022", ["2020", "2022"]),
        (["spring", "autumn"], ["autumn", "spring"]),
        (["2023-24", "all-time"], ["all-time", "2023-24"]),
        ([12], ["12"]),
    ],
)
def test_seasons_come_as_lists_ranges_texts_and_integers(value, expected):
    assert texts(value) == expected


def test_season_names_are_texts_and_years_are_integers():
    assert enumerated("2004..2006").kind is AxisKind.INTEGER
    assert enumerated("2004..2006").values("season").to_list() == [2004, 2005, 2006]
    assert enumerated("2003-04").kind is AxisKind.SEASON
    assert enumerated("spring").kind is AxisKind.VALUE


def test_a_season_runs_from_its_start_to_the_next():
    axis = enumerated("2023-24..2024-25", starts=(9, 15))
    assert axis.starts_at.astype(str).tolist() == ["2023-09-15T00:00:00", "2024-09-15T00:00:00"]
    assert axis.ends_at.astype(str).tolist() == ["2024-09-15T00:00:00", "2025-09-15T00:00:00"]


def test_an_integer_stands_for_the_season_that_ends_that_year():
    axis = enumerated("2024")
    assert axis.starts_at.astype(str).tolist() == ["2023-10-01T00:00:00"]
    assert axis.ends_at.astype(str).tolist() == ["2024-10-01T00:00:00"]


def test_a_plain_word_beside_seasons_lies_before_them_all():
    axis = enumerated(["2023-24", "all-time"])
    assert axis.starts_at[0] == axis.ends_at[0] < axis.starts_at[1]


LEAGUES = {"nba": "2020-2022", "aba": "1967-1968", "gleague": ["2021..2023"]}


def test_a_pattern_takes_the_league_that_one_of_its_segments_names():
    assert texts(LEAGUES, ("bbref", "aba")) == ["1967", "1968"]


def test_a_pattern_without_a_league_takes_all_of_them():
    assert texts(LEAGUES, ("bbref", "nba_api")) == ["1967", "1968", "2020", "2021", "2022", "2023"]


def test_left_out_values_do_not_occur():
    assert texts("2019..2022", leave_out=("2020",)) == ["2019", "2021", "2022"]
    assert texts("2019-20..2021-22", leave_out=("2020-21",)) == ["2019-20", "2021-22"]


def test_a_range_that_begins_after_the_current_season_has_no_values():
    assert enumerated("2030-31..current").size == 0


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ("2025-1946", (), "runs backwards"),
        ("2024..2004", (), "write 2004..2024"),
        ("2024-25..2003-04", (), "runs backwards"),
        ("1996-97..2024", (), "no range of seasons"),
        ("a..b", (), "no range of seasons"),
        ("2006-24", (), r"neither a season \(2006-07\) nor a range of years; write 2006-07, or 2006..2024"),
        ([2004, True], (1,), "no season"),
        ([2004, None], (1,), "no season"),
        (2.5, (), "no season"),
        ([], (), "no seasons"),
        ({}, (), "no seasons"),
        ({"nba": ["2004", ""]}, ("nba", 1), "no season"),
        ("a/b", (), "no season"),
        (["2023-24", "current"], (1,), "only ends a range"),
    ],
)
def test_what_is_no_season_is_refused_with_its_path(value, path, said):
    with pytest.raises(InvalidValueError, match=said) as caught:
        parse_seasons(value)
    assert caught.value.path == path
