"""Which values of an axis the texts in YAML name."""

import numpy as np
import pytest
from declared import NOW, catalog

from recon.core.catalog import rows_axis
from recon.core.dimensions import axis, parse_dimension, parse_seasons, seasons_axis
from recon.core.naming import is_named, named, plain_texts


def dimension(name="x", **value):
    return axis(parse_dimension(name, value), NOW)


def indices(whole, field, *texts, **options):
    return np.flatnonzero(is_named(whole, field, texts, **options)).tolist()


def test_a_value_is_named_by_its_text_in_keys():
    assert indices(dimension(values=["ATL", "BOS"]), "x", "BOS", "atl") == [1]


@pytest.mark.parametrize("text", ["7", "007"])
def test_an_integer_is_named_with_or_without_its_zeros(text):
    padded = dimension(integers="5..8", width=3)
    assert indices(padded, "x", text) == [2]
    assert plain_texts(padded, "x").to_list() == ["5", "6", "7", "8"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-10-30T06", [1]),
        ("2025-10-30T06:00Z", [1]),
        ("2025-10-30T01:00-05:00", [1]),
        ("2025-10-30", [0, 1, 2, 3]),
        ("2025-10", []),
        ("06:00", []),
    ],
)
def test_a_step_of_time_is_named_by_its_text_its_instant_or_its_date(text, found):
    steps = dimension(every="6h", start="2025-10-30", end="2025-10-31")
    assert indices(steps, "x", text) == found
    assert named(steps, "x", [text, "never"]) == ({text} if found else set())


def test_dates_are_local_to_the_dimension():
    steps = dimension(every="6h", start="2025-10-30", end="2025-10-30", timezone="America/New_York")
    assert indices(steps, "x", "2025-10-30") == [0, 1, 2, 3]
    assert indices(steps, "x", "2025-10-30T06:00") == [1]


NAMES = seasons_axis(parse_seasons("2012-13..2014-15"), ("season",), (), NOW)
YEARS = seasons_axis(parse_seasons("2013..2015"), ("year",), (), NOW)


@pytest.mark.parametrize(
    ("whole", "field", "text"),
    [(NAMES, "season", "2014"), (YEARS, "year", "2013-14")],
    ids=["names", "years"],
)
def test_a_season_is_named_in_either_notation_only_where_that_is_asked_for(whole, field, text):
    assert indices(whole, field, text, across_notations=True) == [1]
    assert named(whole, field, [text], across_notations=True) == {text}
    assert indices(whole, field, text) == []


def test_what_stands_there_as_written_is_not_read_in_the_other_notation():
    both = seasons_axis(parse_seasons(["2013-14", "2014", "2013"]), ("season",), (), NOW)
    texts = both.texts("season").to_list()
    assert [texts[n] for n in indices(both, "season", "2014", across_notations=True)] == ["2014"]


def test_a_calendar_year_is_no_season():
    years = dimension("year", integers="2013..2015")
    assert indices(years, "year", "2013-14", across_notations=True) == []


def test_rows_are_named_by_any_column_and_by_their_season():
    rows = rows_axis(catalog("g", {"id": ["a", "b"], "season": ["2023-24", "2024-25"]}), (10, 1))
    assert indices(rows, "id", "b") == [1]
    assert indices(rows, "season", "2024", across_notations=True) == [0]


def test_an_empty_axis_has_nothing_to_name():
    rows = rows_axis(catalog("g", {"season": []}), (10, 1))
    assert indices(rows, "season", "2024", across_notations=True) == []
