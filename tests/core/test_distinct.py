import numpy as np
import pytest
from declared import catalog

from recon.core.catalog import rows_axis
from recon.core.dimensions import axis, parse_dimension
from recon.core.distinct import distinct
from recon.core.invalid import InvalidValueError
from recon.core.pattern import parse_template

NOW = np.datetime64("2025-11-01T12:00:00", "s")


def hours(every="hour", **options):
    value = {
        "every": every,
        "start": "2024-11-03",
        "end": "2024-11-03",
        "timezone": "America/New_York",
        **options,
    }
    return axis(parse_dimension("t", value), NOW)


def narrowed(whole, text):
    return distinct(whole, parse_template(text).placeholders)


def test_an_axis_that_is_told_apart_stays_itself():
    whole = hours(timezone="UTC")
    assert narrowed(whole, "{t:%Y}/{t:%m}/{t:%d}/{t:%H}") is whole


def test_repeated_local_hours_become_one_step_due_at_the_later():
    whole = hours()
    merged = narrowed(whole, "{t:%Y-%m-%d-%-H}")
    assert (whole.size, merged.size) == (25, 24)
    one = merged.texts("t", "%H").to_list().index("01")
    assert str(merged.starts_at[one]) == "2024-11-03T05:00:00"
    assert str(merged.ends_at[one]) == "2024-11-03T07:00:00"


def test_repeated_hours_told_apart_by_their_offset_stay_two():
    assert narrowed(hours(), "{t:%Y%m%d%H%z}").size == 25


@pytest.mark.parametrize("text", ["{t:%Y-%m-%d}", "{t:%Y}/{t:%-H%m}"])
def test_steps_that_render_alike_by_oversight_are_refused(text):
    with pytest.raises(InvalidValueError, match="cannot tell the steps of 't' apart"):
        narrowed(hours("15m"), text)


def test_rows_that_render_alike_become_one_due_with_the_latest():
    games = catalog(
        "g", {"s": ["2023", "2024", "2023"], "on": ["2024-03-01", "2024-04-01", "2024-02-01"]}, due="on"
    )
    merged = narrowed(rows_axis(games, (10, 1)), "{s}.json")
    assert merged.texts("s").to_list() == ["2023", "2024"]
    assert merged.due_at.astype(str).tolist() == ["2024-03-01T00:00:00", "2024-04-01T00:00:00"]


def test_an_empty_axis_stays_empty():
    assert narrowed(rows_axis(catalog("g", {"s": []}), (10, 1)), "{s}").size == 0


def test_integers_that_a_format_joins_are_refused():
    whole = axis(parse_dimension("n", {"integers": "1..11"}), NOW)
    with pytest.raises(InvalidValueError, match="two values of 'n' both render '111'"):
        narrowed(whole, "{n:1>3}")


def test_a_clock_that_changes_by_half_an_hour_still_yields_one_step_per_text():
    whole = hours(timezone="Australia/Lord_Howe", start="2024-04-07", end="2024-04-07")
    merged = narrowed(whole, "{t:%Y-%m-%dT%H}")
    assert (whole.size, merged.size) == (25, 24)
    one = merged.texts("t", "%H").to_list().index("01")
    assert str(merged.ends_at[one]) == "2024-04-06T16:00:00"
