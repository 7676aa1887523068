import numpy as np
import polars as pl
import pytest

from recon.core.axis import Axis, AxisKind
from recon.core.invalid import InvalidValueError


def words(*values):
    return Axis(
        "team", AxisKind.VALUE, len(values), ("team",), columns={"team": pl.Series(values, dtype=pl.String)}
    )


def numbers(*values, **options):
    return Axis(
        "n",
        AxisKind.INTEGER,
        len(values),
        ("n",),
        columns={"n": pl.Series(values, dtype=pl.Int64)},
        **options,
    )


def test_a_rendering_is_made_once_and_kept():
    axis = numbers(1, 2)
    assert axis.texts("n", "03d") is axis.texts("n", "03d")


def test_values_of_some_indices_come_in_their_order():
    hours = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1, 2), "1h", time_zone="UTC", eager=True
    )
    axis = Axis("hour", AxisKind.TIME, 3, ("hour",), columns={"hour": hours})
    wanted = ["2024-01-01T02:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T02:00:00Z"]
    assert axis.values("hour", np.array([2, 0, 2])).to_list() == wanted
    assert numbers(5, 6, 7).values("n", np.array([], np.int64)).to_list() == []


def test_narrowing_keeps_values_intervals_and_due_times_together():
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[s]")
    axis = numbers(5, 6, 7, starts_at=days, ends_at=days + 1, due_at=days + 2).take(np.array([2, 0]))
    assert axis.texts("n").to_list() == ["7", "5"]
    assert (axis.starts_at == days[[2, 0]]).all()
    assert (axis.ends_at == days[[2, 0]] + 1).all()
    assert (axis.due_at == days[[2, 0]] + 2).all()
    assert axis.size == 2


def test_a_narrowed_axis_does_not_show_the_old_texts():
    axis = words("a", "b")
    axis.texts("team")
    assert axis.take(np.array([1])).texts("team").to_list() == ["b"]


def test_keeping_all_is_the_axis_itself():
    axis = words("a", "b")
    assert axis.only(np.array([True, True])) is axis
    assert axis.only(np.array([False, True])).texts("team").to_list() == ["b"]


def test_words_take_no_format():
    with pytest.raises(InvalidValueError, match="the texts of 'team' take no format; got '03d'"):
        words("a").texts("team", "03d")


def test_the_plain_format_is_the_partition_too():
    axis = numbers(3, plain_spec="03d")
    assert axis.partition_texts().to_list() == ["003"]
    assert axis.values("n").to_list() == [3]
