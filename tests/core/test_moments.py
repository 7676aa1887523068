from datetime import datetime

import numpy as np
import polars as pl
import pytest

from recon.core.invalid import InvalidValueError
from recon.core.moments import Moment, check_zone, end_instant, instant, instants, parse_moment


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-01-05", Moment(datetime(2024, 1, 5))),
        ("2024", Moment(datetime(2024, 1, 1), "year")),
        (2024, Moment(datetime(2024, 1, 1), "year")),
        ("2024-03", Moment(datetime(2024, 3, 1), "month")),
        ("2024-01-05T06:30", Moment(datetime(2024, 1, 5, 6, 30), "second")),
        ("2024-01-05 06:30:15Z", Moment(datetime(2024, 1, 5, 6, 30, 15), "second", utc=True)),
        ("2024-01-05T06:30+02:00", Moment(datetime(2024, 1, 5, 4, 30), "second", utc=True)),
    ],
)
def test_a_moment_is_as_exact_as_it_was_written(value, moment):
    assert parse_moment(value) == moment


@pytest.mark.parametrize(
    "value", ["", "soon", "2024-13-01", "2024-02-30", "05/01/2024", None, True, 1.5, "20240105x"]
)
def test_what_is_no_date_is_refused(value):
    with pytest.raises(InvalidValueError, match="is no date"):
        parse_moment(value)


def test_a_local_moment_is_placed_in_its_zone():
    assert instant(parse_moment("2024-07-01"), "America/New_York") == np.datetime64("2024-07-01T04:00:00")
    assert instant(parse_moment("2024-07-01T00:00Z"), "America/New_York") == np.datetime64(
        "2024-07-01T00:00:00"
    )


def test_a_wall_clock_that_a_zone_skips_is_the_next_that_exists():
    assert instant(parse_moment("2024-03-10T02:30"), "America/New_York") == np.datetime64(
        "2024-03-10T07:30:00"
    )
    assert instant(parse_moment("2011-12-30"), "Pacific/Apia") == np.datetime64("2011-12-30T10:00:00")


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("2024-02", "2024-03-01T00:00:00"),
        ("2024", "2025-01-01T00:00:00"),
        ("2024-02-29", "2024-03-01T00:00:00"),
    ],
)
def test_a_bare_date_ends_with_its_day_month_or_year(value, end):
    assert end_instant(parse_moment(value), "UTC") == np.datetime64(end)


def test_an_unknown_zone_is_refused():
    assert check_zone("Europe/Berlin") == "Europe/Berlin"
    for zone in ("Mars/Olympus", 3):
        with pytest.raises(InvalidValueError, match="unknown time zone"):
            check_zone(zone)


def test_a_column_of_dates_reads_as_the_single_ones_do():
    texts = [
        "2024-01-05",
        "20240105",
        "2024-01-05T03:00Z",
        "2024-01-05 03:00:00+02:00",
        "2024-01-05T03:00",
        "2024",
    ]
    found = instants(pl.Series(texts), "UTC").astype(str).tolist()
    day = "2024-01-05T"
    assert found == [
        f"{day}00:00:00",
        f"{day}00:00:00",
        f"{day}03:00:00",
        f"{day}01:00:00",
        f"{day}03:00:00",
        "2024-01-01T00:00:00",
    ]


def test_what_is_no_date_in_a_column_is_not_a_time():
    assert np.isnat(instants(pl.Series(["", "x", "2024-02-31", "2024-01-05T25:00"]), "UTC")).all()


def test_the_end_of_a_date_in_a_column_is_the_next_midnight():
    found = instants(pl.Series(["2024-01-05", "2024-01", "2024-01-05T03:00"]), "UTC", ends=True)
    assert found.astype(str).tolist() == ["2024-01-06T00:00:00", "2024-02-01T00:00:00", "2024-01-05T03:00:00"]
