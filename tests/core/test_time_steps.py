from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.core.dimensions import axis, parse_dimension
from recon.core.invalid import InvalidValueError
from recon.core.time_steps import parse_every

NOW = np.datetime64("2025-11-01T12:34:56", "s")


def steps(every, start, now=NOW, name="t", **options):
    return axis(parse_dimension(name, {"every": every, "start": start, **options}), now)


def texts(*args, spec="", **options):
    return steps(*args, **options).texts("t", spec).to_list()


def begins(*args, **options):
    return steps(*args, **options).starts_at.astype(str).tolist()


@pytest.mark.parametrize(
    ("every", "start", "end", "expected"),
    [
        (
            "hour",
            "2024-01-01T22:00Z",
            "2024-01-02T00:00Z",
            ["2024-01-01T22", "2024-01-01T23", "2024-01-02T00"],
        ),
        ("day", "2024-02-28", "2024-03-01", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ("week", "2024-01-01", "2024-01-21", ["2024-W01", "2024-W02", "2024-W03"]),
        ("month", "2024-01", "2024-03", ["2024-01", "2024-02", "2024-03"]),
        ("year", "2022", "2024", ["2022", "2023", "2024"]),
        ("6h", "2024-01-01T03:00", "2024-01-01T20:00", ["2024-01-01T03", "2024-01-01T09", "2024-01-01T15"]),
        ("15m", "2024-01-01T00:00", "2024-01-01T00:30", [f"2024-01-01T00:{m}" for m in ("00", "15", "30")]),
        ("2d", "2024-01-01", "2024-01-04", ["2024-01-01", "2024-01-03"]),
    ],
)
def test_start_and_end_are_the_first_and_last_steps(every, start, end, expected):
    assert texts(every, start, end=end) == expected


def test_a_bare_date_that_ends_hours_means_that_whole_day():
    assert texts("hour", "2024-01-01", end="2024-01-01")[-1] == "2024-01-01T23"
    assert len(texts("hour", "2024-02-01", end="2024-02")) == 29 * 24


def test_a_month_that_ends_days_means_that_whole_month():
    assert texts("day", "2024-02-28", end="2024-02") == ["2024-02-28", "2024-02-29"]


@pytest.mark.parametrize(
    ("every", "last"),
    [("hour", "2025-11-01T12:00:00"), ("day", "2025-11-01T00:00:00"), ("week", "2025-10-27T00:00:00"),
     ("month", "2025-11-01T00:00:00"), ("year", "2025-01-01T00:00:00"), ("15m", "2025-11-01T12:30:00")],
)  # fmt: skip
def test_now_includes_the_current_step(every, last):
    current = steps(every, "2025-01-01", end="now")
    assert str(current.starts_at[-1]) == last
    assert current.ends_at[-1] > NOW


def test_a_step_that_begins_now_is_the_current_one():
    assert (
        begins("hour", "2025-11-01", now=np.datetime64("2025-11-01T01:00:00", "s"))[-1]
        == "2025-11-01T01:00:00"
    )


def test_weeks_start_on_monday_and_months_on_their_first():
    assert begins("week", "2024-01-10", end="2024-01-16") == ["2024-01-08T00:00:00", "2024-01-15T00:00:00"]
    assert begins("month", "2024-01-10", end="2024-02-01") == ["2024-01-01T00:00:00", "2024-02-01T00:00:00"]


def test_local_hours_that_do_not_exist_never_occur():
    found = texts("hour", "2024-03-10", end="2024-03-10", timezone="America/New_York", spec="%H")
    assert len(found) == 23
    assert "02" not in found


def test_repeated_local_hours_yield_two_steps_with_one_text():
    found = texts("hour", "2024-11-03", end="2024-11-03", timezone="America/New_York", spec="%H")
    assert len(found) == 25
    assert found.count("01") == 2


def test_local_days_begin_at_local_midnight_or_the_first_instant_after():
    assert begins("day", "2018-11-03", end="2018-11-05", timezone="America/Sao_Paulo") == [
        "2018-11-03T03:00:00", "2018-11-04T03:00:00", "2018-11-05T02:00:00",
    ]  # fmt: skip


def test_a_local_day_that_never_was_is_not_expected():
    assert texts("day", "2011-12-29", end="2011-12-31", timezone="Pacific/Apia") == [
        "2011-12-29",
        "2011-12-31",
    ]


def test_each_step_ends_where_the_next_begins_across_clock_changes():
    days = steps("day", "2024-01-01", end="2024-12-31", timezone="America/New_York")
    assert (days.ends_at[:-1] == days.starts_at[1:]).all()
    assert set((days.ends_at - days.starts_at).astype(int) // 3600) == {23, 24, 25}


def test_only_weekdays_and_except_dates_go_by_the_local_wall_clock():
    days = {"only": {"weekdays": ["tue", "Wed"]}, "except": ["2024-12-25"]}
    assert texts("day", "2024-12-23", end="2024-12-31", **days) == ["2024-12-24", "2024-12-31"]
    left = texts("6h", "2024-12-24", end="2024-12-26", timezone="Asia/Tokyo", **{"except": ["2024-12-25"]})
    assert {text[:10] for text in left} == {"2024-12-24", "2024-12-26"}


def test_a_start_after_the_end_has_no_steps():
    assert steps("day", "2026-01-01").size == 0
    assert steps("hour", "2026-01-01").size == 0


def test_ten_million_steps_are_refused_in_words():
    with pytest.raises(InvalidValueError, match="steps; at most"):
        steps("1m", "1800-01-01")


@pytest.mark.parametrize(
    ("every", "coarse"),
    [("hour", "2024-03-05"), ("15m", "2024-03-05"), ("day", "2024-03"), ("week", "2024"), ("year", "2024")],
)
def test_partitions_are_days_for_hours_months_for_days_and_years_beyond(every, coarse):
    assert steps(every, "2024-03-05", end="2024-03-05").partition_texts()[0] == coarse


def test_a_partition_goes_by_the_local_day():
    assert texts("hour", "2024-03-05T03:00Z", end="2024-03-05T03:00Z", timezone="America/New_York") == [
        "2024-03-04T22"
    ]
    first = steps("hour", "2024-03-05T03:00Z", timezone="America/New_York", end="2024-03-05T03:00Z")
    assert first.partition_texts().to_list() == ["2024-03-04"]
    assert first.partition_texts(coarse=False).to_list() == ["2024-03-04T22"]


def test_the_raw_value_of_a_step_is_its_utc_instant():
    found = steps("day", "2024-07-01", end="2024-07-01", timezone="America/New_York")
    assert found.values("t").to_list() == ["2024-07-01T04:00:00Z"]


@pytest.mark.parametrize("value", ["hourly", "0h", "h", "", 6, "1.5h", "3y", None])
def test_what_is_no_step_is_refused(value):
    with pytest.raises(InvalidValueError, match="no step of time"):
        parse_every(value)


_zones = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Sydney", "Asia/Kolkata"])


@settings(max_examples=30, deadline=None)
@given(_zones, st.datetimes(datetime(2019, 1, 1), datetime(2022, 1, 1)), st.integers(0, 400))
def test_hours_are_every_elapsed_hour_with_the_zone_s_own_text(zone, start, count):
    start = start.replace(minute=0, second=0, microsecond=0)
    first, last = start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(hours=count)
    found = steps("hour", f"{first:%Y-%m-%dT%H:%MZ}", end=f"{last:%Y-%m-%dT%H:%MZ}", timezone=zone)
    oracle = [(first + timedelta(hours=n)).astimezone(ZoneInfo(zone)) for n in range(count + 1)]
    assert found.texts("t", "%Y/%m/%d %-H").to_list() == [f"{o:%Y/%m/%d} {o.hour}" for o in oracle]


@settings(max_examples=30, deadline=None)
@given(_zones, st.dates(datetime(2019, 1, 1).date(), datetime(2022, 1, 1).date()), st.integers(0, 400))
def test_days_are_every_local_date_from_midnight_to_midnight(zone, first, count):
    last = first + timedelta(days=count)
    found = steps("day", f"{first}", end=f"{last}", timezone=zone)
    days = [first + timedelta(days=n) for n in range(count + 2)]
    midnights = [
        datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        for d in days
    ]
    assert found.texts("t").to_list() == [str(day) for day in days[:-1]]
    assert found.starts_at.astype(str).tolist() == midnights[:-1]
    assert found.ends_at.astype(str).tolist() == midnights[1:]
