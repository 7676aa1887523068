from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.formats import rendered
from recon.core.invalid import InvalidValueError

TIMES = pl.Series([datetime(2016, 10, 5, 3)])


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("%Y-%m-%d-%-H", "2016-10-05-3"),
        ("%-d.%-m.", "5.10."),
        ("%H%%", "03%"),
        ("%H%f", "03000000"),
        ("%%f%f", "%f000000"),
        ("%j", "279"),
        ("%G-W%V", "2016-W40"),
    ],
)
def test_times_take_strftime(spec, text):
    assert rendered(TIMES, spec, "t").to_list() == [text]


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    st.sampled_from(["", "d", "03d", "010", "x", "04X", "b", ",", "+d", "_>8"]),
)
def test_integers_take_python_s_formats(values, spec):
    assert rendered(pl.Series(values), spec, "n").to_list() == [format(value, spec) for value in values]


def test_text_that_reads_as_dates_takes_strftime():
    column = pl.Series(["2024-01-05", "2024-02-10T03:00Z"])
    assert rendered(column, "%Y/%m", "d").to_list() == ["2024/01", "2024/02"]


def test_text_that_reads_as_integers_takes_their_formats():
    assert rendered(pl.Series(["7", "0012"]), "05d", "n").to_list() == ["00007", "00012"]


def test_text_without_a_format_stays_as_it_is():
    assert rendered(pl.Series(["0022300001"]), "", "id").to_list() == ["0022300001"]


@pytest.mark.parametrize(
    ("column", "spec", "said"),
    [
        (TIMES, "%Q", "'%Q' is no strftime format"),
        (TIMES, "03d", "no format for the times of t"),
        (pl.Series([1]), "%Y", "no format for the integers of t"),
        (pl.Series([1]), ".2f", "no format for the integers of t"),
        (pl.Series(["1", "x"]), "03d", "row 2 holds 'x', not an integer"),
        (pl.Series(["2024-01-01", ""]), "%Y", "row 2 holds '', not a date"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(column, spec, said):
    with pytest.raises(InvalidValueError, match=said):
        rendered(column, spec, "t")
