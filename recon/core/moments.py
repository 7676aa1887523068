"""Dates and instants as people declare them: parsed from text, placed in a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.invalid import InvalidValueError, shown

Instants = NDArray[np.datetime64]

#: Year, month, day, hour, minute, second, offset; everything after the year may be left off.
_MOMENT = (
    r"^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:\.\d+)?)?)?"
    r" ?(Z|[+-]\d{2}:?\d{2})?)?)?)?$"
)
#: What stands for each part after the year that was left off, by group of ``_MOMENT``.
_BLANKS = ((2, "01"), (3, "01"), (4, "00"), (5, "00"), (6, "00"))
_WALL = "%Y-%m-%dT%H:%M:%S"
_EXPECTED = "expected a date such as 2024-01-05 or an instant such as 2024-01-05T06:00Z"

Unit = Literal["year", "month", "day", "second"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A declared point in time: wall clock ``at`` (in UTC if ``utc``, else in a zone given later).

    ``unit`` is how exactly it was written: a bare year, a month, a day, or a time of day.
    """

    at: datetime
    unit: Unit = "day"
    utc: bool = False


def parse_moment(value: object) -> Moment:
    """Return the moment that ``value`` (text, or a bare year as an integer) names."""
    found = re.match(_MOMENT, str(value).strip()) if isinstance(value, str | int) else None
    if found is None or isinstance(value, bool):
        raise InvalidValueError(f"{shown(value)} is no date; {_EXPECTED}")
    year, month, day, hour, minute, second = (int(group or 0) for group in found.groups()[:6])
    try:
        at = datetime(year, month or 1, day or 1, hour, minute, second)  # noqa: DTZ001 - a wall clock; its zone comes later
        offset = _offset(found[7])
        at = at if offset is None else at - offset
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(f"{shown(value)} is no date ({error}); {_EXPECTED}") from error
    units: tuple[Unit, ...] = ("year", "month", "day", "second")
    written = sum(found[group] is not None for group in (2, 3, 4))
    return Moment(at, units[written], offset is not None)


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text == "Z":
        return timedelta(0)
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))


def check_zone(zone: object) -> str:
    """Return ``zone`` if it is a known time zone name."""
    if isinstance(zone, str):
        try:
            pl.Series([datetime(2000, 1, 1)]).dt.replace_time_zone(zone)  # noqa: DTZ001 - a wall clock to try the zone on
        except pl.exceptions.ComputeError:
            pass
        else:
            return zone
    raise InvalidValueError(f"unknown time zone '{zone}'; expected a name such as UTC or America/New_York")


def instant(moment: Moment, zone: str) -> np.datetime64:
    """Return the UTC instant of ``moment``; a wall clock that ``zone`` skips becomes the next that exists."""
    wall: Instants = np.array([moment.at], dtype="datetime64[s]")
    if moment.utc:
        return np.datetime64(wall[0], "s")
    for hours in range(49):
        found = to_utc(wall + np.timedelta64(hours, "h"), zone)
        if not np.isnat(found[0]):
            return np.datetime64(found[0], "s")
    raise InvalidValueError(f"'{moment.at}' does not exist in {zone}")


def end_instant(moment: Moment, zone: str) -> np.datetime64:
    """Return the exclusive UTC end of what was written: of the year, month or day; of a time, itself."""
    if moment.unit == "second":
        return instant(moment, zone)
    code = {"year": "Y", "month": "M", "day": "D"}[moment.unit]
    written = np.array([moment.at], "datetime64[s]").astype(f"datetime64[{code}]")
    after = (written + 1).astype("datetime64[s]")[0].item()
    return instant(Moment(after, "second", moment.utc), zone)


def to_utc(walls: Instants, zone: str) -> Instants:
    """Return UTC instants of ``zone``'s wall clocks: the earlier of two, NaT for one that never showed."""
    if zone == "UTC":
        return walls.astype("datetime64[s]")
    local = pl.Series(walls.astype("datetime64[ms]"))
    placed = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return _numpy(placed.dt.convert_time_zone("UTC").dt.replace_time_zone(None))


def to_wall(instants: Instants, zone: str) -> Instants:
    """Return the wall clocks that ``zone`` shows at UTC instants."""
    return _numpy(zoned(instants, zone).dt.replace_time_zone(None))


def zoned(instants: Instants, zone: str) -> pl.Series:
    """Return UTC instants as a Datetime series in ``zone``."""
    return pl.Series(instants.astype("datetime64[ms]")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def instants(texts: pl.Series, zone: str, *, ends: bool = False) -> Instants:
    """Return the UTC instants that ``texts`` name, NaT where a text names none.

    Vectorised over ``_MOMENT``, and ``YYYYMMDD``. A bare date is its midnight in ``zone``; with ``ends``,
    the midnight after it (likewise a bare month or year).
    """
    dashed = texts.str.strip_chars().str.replace(r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3")
    parts = dashed.str.extract_groups(_MOMENT).struct.unnest()
    hour, day, month = pl.col("4"), pl.col("3"), pl.col("2")
    pieces = [pl.col("1"), *(pl.col(str(n)).fill_null(blank) for n, blank in _BLANKS)]
    wall = pl.format("{}-{}-{}T{}:{}:{}", *pieces).str.to_datetime(_WALL, time_unit="ms", strict=False)
    after = (
        pl.when(hour.is_not_null())
        .then(wall)
        .when(day.is_not_null())
        .then(wall.dt.offset_by("1d"))
        .when(month.is_not_null())
        .then(wall.dt.offset_by("1mo"))
        .otherwise(wall.dt.offset_by("1y"))
    )
    offset = pl.col("7")
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    hours, minutes = (offset.str.slice(at, 2).cast(pl.Int32, strict=False) for at in (1, -2))
    frame = parts.select(
        wall=after if ends else wall,
        offset=pl.when(offset == "Z").then(0).otherwise(sign * (hours * 60 + minutes)),
    )
    walls = _numpy(frame["wall"])
    aware = frame["offset"].is_not_null().to_numpy()
    shift = frame["offset"].fill_null(0).to_numpy().astype("timedelta64[m]")
    return np.where(aware, walls - shift, to_utc(walls, zone))


def _numpy(column: pl.Series) -> Instants:
    """Return a naive Datetime series as datetime64[s], nulls as NaT."""
    return column.to_numpy().astype("datetime64[s]")
