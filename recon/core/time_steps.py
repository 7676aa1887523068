"""Declared steps of time: parsed, and enumerated as half-open UTC intervals with their local wall clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recon.core.axis import MAX_AXIS_SIZE, Axis, AxisKind
from recon.core.invalid import InvalidValueError, did_you_mean, shown
from recon.core.moments import Instants, Moment, end_instant, instant, to_utc, to_wall, zoned

Unit = Literal["minute", "day", "week", "month", "year"]

_NAMED: dict[str, tuple[Unit, int]] = {
    "hour": ("minute", 60),
    "day": ("day", 1),
    "week": ("week", 1),
    "month": ("month", 1),
    "year": ("year", 1),
}
_LETTERS: dict[str, tuple[Unit, int]] = {"m": ("minute", 1), "h": ("minute", 60), "d": ("day", 1)}
#: How a step is written and grouped when nothing else is said.
_PLAIN: dict[Unit, str] = {
    "minute": "%Y-%m-%dT%H",
    "day": "%Y-%m-%d",
    "week": "%G-W%V",
    "month": "%Y-%m",
    "year": "%Y",
}


@dataclass(frozen=True, slots=True)
class TimeDimension:
    """A dimension of time steps of ``count`` ``unit``s from ``start`` to ``end`` (None: now), both included.

    ``weekdays`` (0 is Monday) keeps only steps that begin on these; ``leave_out`` drops steps that begin on
    these dates; both by the wall clock of ``timezone``.
    """

    name: str
    unit: Unit
    count: int
    start: Moment
    end: Moment | None = None
    timezone: str = "UTC"
    weekdays: tuple[int, ...] = ()
    leave_out: tuple[date, ...] = ()
    where: str = ""
    kind: Literal["time"] = "time"


def parse_every(value: object) -> tuple[Unit, int]:
    """Return the unit and count of ``hour`` … ``year``, or of such as ``6h``, ``15m``, ``2d``."""
    text = str(value).strip()
    if text in _NAMED:
        return _NAMED[text]
    found = re.fullmatch(r"(\d{1,6})\s*([mhd])", text)
    if found is None or int(found[1]) == 0 or isinstance(value, bool):
        raise InvalidValueError(
            f"{shown(value)} is no step of time{did_you_mean(text, _NAMED)}; "
            "expected hour, day, week, month, year, or such as 6h, 15m, 2d",
        )
    unit, count = _LETTERS[found[2]]
    return unit, count * int(found[1])


def time_axis(dimension: TimeDimension, now: np.datetime64) -> Axis:
    """Return the axis of a dimension of time steps up to ``now``.

    Steps under a day count elapsed time from ``start``: a wall-clock hour that the zone skips never occurs,
    one it repeats yields two steps with the same text. Longer steps begin at local midnights: weeks on
    Monday, months and years on their first day, and the first one holds ``start``. An ``end`` written
    coarser than the step (a bare date for hours) means all of that day, month or year.
    """
    begins, ends = _elapsed(dimension, now) if dimension.unit == "minute" else _calendar(dimension, now)
    keep = _kept(dimension, begins)
    begins, ends = begins[keep], ends[keep]
    return Axis(
        dimension.name,
        AxisKind.TIME,
        len(begins),
        (dimension.name,),
        starts_at=begins,
        ends_at=ends,
        columns={dimension.name: zoned(begins, dimension.timezone)},
        plain_spec=_plain_spec(dimension),
        partition_spec=_partition_spec(dimension),
        timezone=dimension.timezone,
    )


def _elapsed(dimension: TimeDimension, now: np.datetime64) -> tuple[Instants, Instants]:
    zone, step = dimension.timezone, np.timedelta64(dimension.count * 60, "s")
    first = instant(dimension.start, zone)
    if dimension.end is None:
        last = now
    elif dimension.end.unit == "second":
        last = instant(dimension.end, zone)
    else:
        last = end_instant(dimension.end, zone) - np.timedelta64(1, "s")
    size = _checked(dimension, int((last - first) // step) + 1)
    begins = first + np.arange(size) * step
    return begins, begins + step


def _calendar(dimension: TimeDimension, now: np.datetime64) -> tuple[Instants, Instants]:
    zone = dimension.timezone
    first = _floor(_wall(dimension.start, zone), dimension.unit)
    last = _last_wall(dimension, now)
    code: Literal["D", "M", "Y"] = (
        "M" if dimension.unit == "month" else "Y" if dimension.unit == "year" else "D"
    )
    stride = dimension.count * (7 if dimension.unit == "week" else 1)
    begin = np.datetime64(first, "s").astype(f"datetime64[{code}]")
    span = int((np.datetime64(last, "s").astype(f"datetime64[{code}]") - begin).astype(np.int64))
    size = _checked(dimension, span // stride + 1)
    # Two boundaries more: each step ends where the next begins, and a zone may skip a whole day.
    walls = (begin + np.arange(size + 2) * stride).astype("datetime64[s]")
    bounds = to_utc(walls, zone)
    skipped = np.isnat(bounds)
    bounds[skipped] = to_utc(walls[skipped] + np.timedelta64(1, "h"), zone)
    exists = ~np.isnat(bounds)
    kept = bounds[exists]
    count = int(exists[:size].sum())
    return kept[:count], kept[1 : count + 1]


def _last_wall(dimension: TimeDimension, now: np.datetime64) -> datetime:
    """Return the wall clock at or before which the last step begins."""
    if dimension.end is None:
        return _datetime(to_wall(np.array([now]), dimension.timezone)[0])
    if dimension.end.unit in ("second", "day"):
        return _wall(dimension.end, dimension.timezone)
    end = _datetime(
        to_wall(np.array([end_instant(dimension.end, dimension.timezone)]), dimension.timezone)[0]
    )
    return end - timedelta(seconds=1)


def _wall(moment: Moment, zone: str) -> datetime:
    return _datetime(to_wall(np.array([moment.at], "datetime64[s]"), zone)[0]) if moment.utc else moment.at


def _datetime(moment: np.datetime64) -> datetime:
    found: datetime = moment.astype("datetime64[s]").item()
    return found


def _floor(wall: datetime, unit: Unit) -> datetime:
    midnight = wall.replace(hour=0, minute=0, second=0)
    return midnight - timedelta(days=midnight.weekday()) if unit == "week" else midnight


def _checked(dimension: TimeDimension, size: int) -> int:
    if size > MAX_AXIS_SIZE:
        raise InvalidValueError(
            f"dimension '{dimension.name}' would have {size:,} steps; at most {MAX_AXIS_SIZE:,}"
        )
    return max(0, size)


def _kept(dimension: TimeDimension, begins: Instants) -> NDArray[np.bool_]:
    if not dimension.weekdays and not dimension.leave_out:
        return np.ones(len(begins), dtype=bool)
    days = to_wall(begins, dimension.timezone).astype("datetime64[D]")
    keep = ~np.isin(days, np.array(dimension.leave_out, dtype="datetime64[D]"))
    if dimension.weekdays:
        keep &= np.isin((days.astype(np.int64) + 3) % 7, dimension.weekdays)  # 1970-01-01 was a Thursday
    return keep


def _plain_spec(dimension: TimeDimension) -> str:
    minutes = dimension.unit == "minute" and (dimension.count % 60 or dimension.start.at.minute)
    return _PLAIN[dimension.unit] + (":%M" if minutes else "")


def _partition_spec(dimension: TimeDimension) -> str:
    if dimension.unit == "minute":
        return "%Y-%m-%d"
    return "%Y-%m" if (dimension.unit, dimension.count) == ("day", 1) else "%Y"
