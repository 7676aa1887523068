import numpy as np
import pytest

from recon.core.axis import AxisKind
from recon.core.dimensions import axis, parse_dimension
from recon.core.invalid import InvalidValueError

DAY = {"every": "day", "start": "2024-01-01"}
NOW = np.datetime64("2025-11-01T12:00:00", "s")


def test_values_keep_their_order():
    teams = axis(parse_dimension("team", {"values": ["BOS", "ATL", 7]}), NOW)
    assert teams.kind is AxisKind.VALUE
    assert teams.texts("team").to_list() == ["BOS", "ATL", "7"]


def test_a_season_dimension_has_its_own_start():
    seasons = axis(parse_dimension("season", {"seasons": "2024-25..current", "starts": "11-15"}), NOW)
    assert seasons.texts("season").to_list() == ["2024-25"]
    assert str(seasons.starts_at[0]) == "2024-11-15T00:00:00"


def test_a_season_dimension_may_go_by_league():
    dimension = parse_dimension("season", {"seasons": {"nba": "2020..2021", "aba": "1970"}})
    assert axis(dimension, NOW, ("x", "aba")).texts("season").to_list() == ["1970"]
    assert axis(dimension, NOW).size == 3


def test_values_are_left_out_of_seasons_and_integers_too():
    seasons = parse_dimension("season", {"seasons": "2019-20..2021-22", "except": ["2020-21"]})
    years = parse_dimension("year", {"integers": "2019..2021", "except": [2020]})
    assert axis(seasons, NOW).texts("season").to_list() == ["2019-20", "2021-22"]
    assert axis(years, NOW).texts("year").to_list() == ["2019", "2021"]


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"valuess": ["a"]}, (), "needs exactly one of .* got valuess; did you mean 'values'"),
        ({}, (), "got nothing"),
        ({"values": ["a"], "every": "day"}, (), "got values and every"),
        ("a, b", (), "must be a mapping"),
        ({"values": ["a"], "width": 3}, ("width",), "unknown key 'width'"),
        ({"integers": "0..3", "widht": 3}, ("widht",), "unknown key 'widht'; did you mean 'width'"),
        ({"integers": "0..3", "width": 0}, ("width",), "no width"),
        ({"integers": "0..3", "except": ["x"]}, ("except", 0), "no integer"),
        ({"values": []}, ("values",), "no values"),
        ({"values": "a"}, ("values",), "no list"),
        ({"values": ["a", "a"]}, ("values", 1), "listed twice"),
        ({"values": ["a", "b/c"]}, ("values", 1), "no value"),
        ({"values": [None]}, ("values", 0), "no value"),
        ({"seasons": "2024..2004"}, ("seasons",), "runs backwards"),
        ({"seasons": "2004..2024", "starts": "13-01"}, ("starts",), "no day of the year"),
        ({"every": "dya", "start": "2024-01-01"}, ("every",), "did you mean 'day'"),
        ({"every": "day"}, (), "has no start"),
        ({"every": "day", "start": "soon"}, ("start",), "is no date"),
        ({**DAY, "timezone": "Mars"}, ("timezone",), "unknown time zone"),
        ({**DAY, "only": {"weekday": ["mon"]}}, ("only", "weekday"), "did you mean"),
        ({**DAY, "only": ["mon"]}, ("only",), "no mapping"),
        ({**DAY, "only": {"weekdays": ["xyz"]}}, ("only", "weekdays", 0), "no weekday"),
        ({**DAY, "except": ["2024-01"]}, ("except", 0), "no date"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_path(value, path, said):
    with pytest.raises(InvalidValueError, match=said) as caught:
        parse_dimension("team", value)
    assert caught.value.path == path
