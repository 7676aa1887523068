import numpy as np
import pytest

from recon.core.integers import IntegersDimension, integers_axis, parse_spans
from recon.core.invalid import InvalidValueError

NOW = np.datetime64("2025-11-01", "s")


def enumerated(value, name="n", **options):
    return integers_axis(IntegersDimension(name, parse_spans(value), **options), NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0..3", [0, 1, 2, 3]),
        ("0..2, 5..12 step 3", [0, 1, 2, 5, 8, 11]),
        (7, [7]),
        ([3, "1..2", "2"], [1, 2, 3]),
        ("-2..1", [-2, -1, 0, 1]),
        ("2023..current", [2023, 2024, 2025]),
    ],
)
def test_integers_come_as_ranges_with_steps_and_each_once(value, expected):
    assert enumerated(value).values("n").to_list() == expected


def test_width_pads_the_plain_text_only():
    axis = enumerated("0..120, 123..384 step 3", width=3)
    assert axis.size == 121 + 88
    assert axis.texts("n").head(2).to_list() == ["000", "001"]
    assert axis.texts("n", "d").head(2).to_list() == ["0", "1"]


def test_left_out_integers_do_not_occur():
    assert enumerated("1..4", leave_out=("2", "9")).values("n").to_list() == [1, 3, 4]


def test_years_stand_for_calendar_years():
    axis = enumerated("2024", name="year")
    assert (str(axis.starts_at[0]), str(axis.ends_at[0])) == ("2024-01-01T00:00:00", "2025-01-01T00:00:00")


def test_integer_seasons_stand_for_the_season_that_ends_then():
    axis = enumerated("2024..current", name="season")
    assert axis.values("season").to_list() == [2024, 2025, 2026]
    assert str(axis.starts_at[0]) == "2023-10-01T00:00:00"


def test_other_integers_have_no_time():
    assert enumerated("0..3").starts_at is None


def test_an_axis_beyond_reason_is_refused_before_it_is_built():
    with pytest.raises(InvalidValueError, match="1,000,000,000,001 values"):
        enumerated("0..1000000000000")


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ("5..1", (), "write 1..5"),
        ("1..5 step 0", (), "never advances"),
        ("1..x", (), "no integer or range"),
        ("", (), "no integer or range"),
        ([1, "y"], (1,), "no integer or range"),
        (True, (), "no integer or range"),
        ([], (), "no integers"),
    ],
)
def test_what_is_no_integer_is_refused_with_its_path(value, path, said):
    with pytest.raises(InvalidValueError, match=said) as caught:
        parse_spans(value)
    assert caught.value.path == path


def test_a_range_that_begins_after_the_current_year_has_no_values():
    assert enumerated("2030..current").size == 0
    assert enumerated("2030..current", name="year").starts_at is None
