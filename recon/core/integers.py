"""Declared integers: ranges with steps, parsed and enumerated as an axis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import MAX_AXIS_SIZE, Axis, AxisKind
from recon.core.invalid import InvalidValueError, shown
from recon.core.season_years import DEFAULT_STARTS, calendar_year, season_of, season_starts

_RANGE = re.compile(r"(-?\d{1,18})(?:\s*\.\.\s*(-?\d{1,18}|current))?(?:\s+step\s+(\d{1,18}))?")
_EXPECTED = "expected such as 5, 0..120, or 0..120, 123..384 step 3"


@dataclass(frozen=True, slots=True)
class Span:
    """``first``, ``first + step`` … up to ``last`` (included if met); ``last`` None: the current year."""

    first: int
    last: int | None
    step: int = 1


@dataclass(frozen=True, slots=True)
class IntegersDimension:
    """A dimension of integers; ``width`` pads ``{name}`` with zeros."""

    name: str
    spans: tuple[Span, ...]
    width: int = 0
    leave_out: tuple[str, ...] = ()
    where: str = ""
    kind: Literal["integers"] = "integers"


def parse_spans(value: object) -> tuple[Span, ...]:
    """Return the spans that an integer, a text of ranges, or a list of both declares.

    Raises:
        InvalidValueError: With the path to the item that is none of these.
    """
    if not isinstance(value, list | tuple):
        return _spans(value)
    spans: list[Span] = []
    for index, item in enumerate(value):
        try:
            spans.extend(_spans(item))
        except InvalidValueError as error:
            raise error.under(index) from error
    if not spans:
        raise InvalidValueError(f"no integers; {_EXPECTED}")
    return tuple(spans)


def _spans(value: object) -> tuple[Span, ...]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidValueError(f"{shown(value)} is no integer or range; {_EXPECTED}")
    return tuple(_span(piece.strip()) for piece in str(value).split(","))


def _span(text: str) -> Span:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise InvalidValueError(f"'{text}' is no integer or range; {_EXPECTED}")
    first = int(found[1])
    last = first if found[2] is None else None if found[2] == "current" else int(found[2])
    step = int(found[3] or 1)
    if last is not None and last < first:
        raise InvalidValueError(f"'{text}' runs backwards; write {last}..{first}")
    if step == 0:
        raise InvalidValueError(f"'{text}' never advances; the step must be 1 or more")
    return Span(first, last, step)


def integers_axis(dimension: IntegersDimension, now: np.datetime64) -> Axis:
    """Return the axis of a dimension of integers: each value once, ascending.

    A dimension named ``year`` stands for calendar years (UTC), one named ``season`` for the seasons that
    END in its years; other integers have no interval of time. ``current`` is the calendar year of ``now``
    (for ``season``, the year in which the current season ends).
    """
    current = season_of(now) + 1 if dimension.name == "season" else calendar_year(now)
    bounds = [
        (span.first, current if span.last is None else span.last, span.step) for span in dimension.spans
    ]
    size = sum(max(0, (last - first) // step + 1) for first, last, step in bounds)
    if size > MAX_AXIS_SIZE:
        raise InvalidValueError(
            f"dimension '{dimension.name}' would have {size:,} values; at most {MAX_AXIS_SIZE:,}",
        )
    values = np.concatenate([np.arange(*_half_open(bound), dtype=np.int64) for bound in sorted(bounds)])
    values.sort(kind="stable")  # a merge of runs: linear, where np.unique takes seconds for ten million
    values = values[np.diff(values, prepend=values[:1] - 1) > 0]
    if dimension.leave_out:
        values = values[
            ~np.isin(values, np.array([int(text) for text in dimension.leave_out], dtype=np.int64))
        ]
    starts_at, ends_at = _intervals(dimension.name, values)
    return Axis(
        dimension.name,
        AxisKind.INTEGER,
        len(values),
        (dimension.name,),
        starts_at=starts_at,
        ends_at=ends_at,
        columns={dimension.name: pl.Series(values, dtype=pl.Int64)},
        plain_spec=f"0{dimension.width}d" if dimension.width else "",
    )


def _half_open(bound: tuple[int, int, int]) -> tuple[int, int, int]:
    first, last, step = bound
    return first, last + 1, step


def _intervals(
    name: str,
    values: NDArray[np.int64],
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]] | tuple[None, None]:
    if name not in ("year", "season") or not len(values) or values[0] < 1 or values[-1] > 9999:
        return None, None
    if name == "season":
        return season_starts(values - 1, DEFAULT_STARTS), season_starts(values, DEFAULT_STARTS)
    return season_starts(values, (1, 1)), season_starts(values + 1, (1, 1))
