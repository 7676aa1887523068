"""Value sets for placeholders (seasons, integers, time steps, lists) and the axes they resolve to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from recon.core.axis import Axis, AxisKind
from recon.core.integers import IntegersDimension, integers_axis, parse_spans
from recon.core.invalid import InvalidValueError, did_you_mean, shown
from recon.core.moments import Instants, Moment, check_zone, parse_moment
from recon.core.season_years import DEFAULT_STARTS
from recon.core.seasons import Seasons, parse_seasons, seasons_axis
from recon.core.time_steps import TimeDimension, parse_every, time_axis

__all__ = [
    "Axis",
    "AxisKind",
    "Dimension",
    "Instants",
    "IntegersDimension",
    "Seasons",
    "SeasonsDimension",
    "TimeDimension",
    "ValuesDimension",
    "axis",
    "parse_dimension",
    "parse_seasons",
    "parse_starts",
    "seasons_axis",
]

_T = TypeVar("_T")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class SeasonsDimension:
    """A dimension of seasons; ``starts`` is the month and day on which each begins."""

    name: str
    seasons: Seasons
    starts: tuple[int, int] = DEFAULT_STARTS
    leave_out: tuple[str, ...] = ()
    where: str = ""
    kind: Literal["seasons"] = "seasons"


@dataclass(frozen=True, slots=True)
class ValuesDimension:
    """A dimension of plain words, in the order declared."""

    name: str
    values: tuple[str, ...]
    where: str = ""
    kind: Literal["values"] = "values"


#: A declared value set, before ``now`` is known. ``where`` is file:line:column, or ''.
Dimension = SeasonsDimension | ValuesDimension | IntegersDimension | TimeDimension


def parse_dimension(name: str, value: Mapping[str, object]) -> Dimension:
    """Return the dimension that one entry of ``dimensions:`` declares.

    Raises:
        InvalidValueError: With the path to an unknown key (and the nearest known one), a wrong type, or a
            value that reads as none of its kind.
    """
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"dimension '{name}' must be a mapping such as {{values: [a, b]}}")
    kinds = [kind for kind in _PARSERS if kind in value]
    if len(kinds) != 1:
        got = " and ".join(kinds) or ", ".join(map(str, value)) or "nothing"
        hint = "" if kinds else "".join(did_you_mean(str(key), _PARSERS) for key in list(value)[:1])
        raise InvalidValueError(
            f"dimension '{name}' needs exactly one of seasons, values, integers, every; got {got}{hint}",
        )
    parse, known = _PARSERS[kinds[0]]
    for key in value:
        if key not in known:
            raise InvalidValueError(f"unknown key '{key}'{did_you_mean(str(key), known)}", (str(key),))
    return parse(name, value)


def axis(dimension: Dimension, now: np.datetime64, segments: Iterable[str] = ()) -> Axis:
    """Return the ordered values of ``dimension`` at ``now`` (for leagues: in a pattern of ``segments``).

    Raises:
        InvalidValueError: If it would have more values than an axis can hold.
    """
    match dimension:
        case SeasonsDimension():
            return seasons_axis(
                dimension.seasons,
                (dimension.name,),
                segments,
                now,
                starts=dimension.starts,
                leave_out=dimension.leave_out,
            )
        case ValuesDimension():
            values = pl.Series(list(dimension.values), dtype=pl.String)
            fields = (dimension.name,)
            return Axis(dimension.name, AxisKind.VALUE, len(values), fields, columns={dimension.name: values})
        case IntegersDimension():
            return integers_axis(dimension, now)
        case TimeDimension():
            return time_axis(dimension, now)


def parse_starts(value: object) -> tuple[int, int]:
    """Return month and day of ``MM-DD``."""
    month, _, day = str(value).partition("-")
    try:
        date(2001, int(month), int(day))
    except ValueError as error:
        raise InvalidValueError(f"{shown(value)} is no day of the year; expected such as 10-01") from error
    return int(month), int(day)


def _at(key: str, parse: Callable[[object], _T], value: Mapping[str, object]) -> _T:
    """Return ``parse(value[key])``, its problems placed under ``key``."""
    try:
        return parse(value[key])
    except InvalidValueError as error:
        raise error.under(key) from error


def _each(parse: Callable[[object], _T], expected: str) -> Callable[[object], tuple[_T, ...]]:
    """Return a parser of lists whose items ``parse`` reads."""

    def parse_list(value: object) -> tuple[_T, ...]:
        if not isinstance(value, list | tuple):
            raise InvalidValueError(f"{shown(value)} is no list; expected {expected}")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(parse(item))
            except InvalidValueError as error:
                raise error.under(index) from error
        return tuple(items)

    return parse_list


def _word(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value) or "/" in str(value):
        raise InvalidValueError(
            f"{shown(value)} is no value; expected text that is not empty and holds no '/'"
        )
    return str(value)


def _words(value: object) -> tuple[str, ...]:
    words = _each(_word, "such as [ATL, BOS]")(value)
    if not words:
        raise InvalidValueError("no values; expected such as [ATL, BOS]")
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in seen:
            raise InvalidValueError(f"'{word}' is listed twice", (index,))
        seen.add(word)
    return words


def _seasons(name: str, value: Mapping[str, object]) -> Dimension:
    return SeasonsDimension(
        name,
        _at("seasons", parse_seasons, value),
        starts=_at("starts", parse_starts, value) if "starts" in value else DEFAULT_STARTS,
        leave_out=_at("except", _each(_word, "such as [2004-05]"), value) if "except" in value else (),
    )


def _values(name: str, value: Mapping[str, object]) -> Dimension:
    return ValuesDimension(name, _at("values", _words, value))


def _integers(name: str, value: Mapping[str, object]) -> Dimension:
    return IntegersDimension(
        name,
        _at("integers", parse_spans, value),
        width=_at("width", _width, value) if "width" in value else 0,
        leave_out=_at("except", _each(_integer, "such as [2020]"), value) if "except" in value else (),
    )


def _every(name: str, value: Mapping[str, object]) -> Dimension:
    unit, count = _at("every", parse_every, value)
    if "start" not in value:
        raise InvalidValueError(f"dimension '{name}' has no start; expected such as start: 2024-01-01")
    zone = _at("timezone", check_zone, value) if "timezone" in value else "UTC"
    return TimeDimension(
        name,
        unit,
        count,
        start=_at("start", parse_moment, value),
        end=_at("end", _end, value) if "end" in value else None,
        timezone=zone,
        weekdays=_at("only", _weekdays, value) if "only" in value else (),
        leave_out=_at("except", _each(_date, "dates such as [2024-12-25]"), value)
        if "except" in value
        else (),
    )


def _end(value: object) -> Moment | None:
    return None if value == "now" else parse_moment(value)


def _date(value: object) -> date:
    moment = parse_moment(value)
    if moment.unit != "day":
        raise InvalidValueError(f"{shown(value)} is no date; expected such as 2024-12-25")
    return moment.at.date()


def _weekdays(value: object) -> tuple[int, ...]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{shown(value)} is no mapping; expected such as {{weekdays: [mon, tue]}}")
    for key in value:
        if key != "weekdays":
            raise InvalidValueError(f"unknown key '{key}'{did_you_mean(str(key), ['weekdays'])}", (str(key),))
    return _at("weekdays", _each(_weekday, "such as [mon, tue]"), value) if value else ()


def _weekday(value: object) -> int:
    name = str(value).lower()[:3]
    if name not in _WEEKDAYS:
        raise InvalidValueError(f"{shown(value)} is no weekday{did_you_mean(str(value), _WEEKDAYS)}")
    return _WEEKDAYS.index(name)


def _width(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdigit() or not 1 <= int(text) <= 18:
        raise InvalidValueError(f"{shown(value)} is no width; expected the number of digits, such as 3")
    return int(text)


def _integer(value: object) -> str:
    try:
        return str(int(str(value)))
    except ValueError as error:
        raise InvalidValueError(f"{shown(value)} is no integer") from error


#: Each kind of dimension by the key that names it: its parser, and the keys it knows.
_PARSERS: Mapping[str, tuple[Callable[[str, Mapping[str, object]], Dimension], tuple[str, ...]]] = {
    "seasons": (_seasons, ("seasons", "starts", "except")),
    "values": (_values, ("values",)),
    "integers": (_integers, ("integers", "width", "except")),
    "every": (_every, ("every", "start", "end", "timezone", "only", "except")),
}
