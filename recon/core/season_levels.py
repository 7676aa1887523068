"""Which indices of an axis are of a high- or medium-priority season: pinned, or near the current one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.season_years import NO_SEASON, last_year, season_of

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SeasonLevels:
    """Per index of an axis: its season's text, and whether that is of high or of medium priority.

    ``current`` is the index of the current season, None where none is enumerated yet.
    """

    texts: pl.Series
    high: Mask
    medium: Mask
    current: int | None


def season_levels(
    axis: Axis, high: tuple[str, ...], medium: tuple[str, ...], now: np.datetime64
) -> SeasonLevels | None:
    """Return the levels of an axis' seasons or years; None where it has none.

    ``high`` and ``medium`` are pinned seasons, in either notation; empty, they stand for the current season
    and the two before. A season newer than every pinned one is of high priority too. The current season is
    the greatest enumerated one that has begun.
    """
    field = _field(axis)
    if field is None or not axis.size:
        return None
    texts = axis.texts(field)
    unique = texts.unique()
    ends = pl.Series([last_year(text) for text in unique.to_list()], dtype=pl.Int64)
    years: NDArray[np.int64] = texts.replace_strict(unique, ends).to_numpy()
    begun = _begun(axis, years, now)
    current = int(np.where(begun, years, NO_SEASON).argmax()) if begun.any() else None
    now_year = season_of(now) + 1 if current is None else int(years[current])
    newest = newest_pinned(high)
    return SeasonLevels(
        texts,
        high=_pinned(texts, years, high) | ((years > newest) & (newest != NO_SEASON))
        if high
        else years >= now_year,
        medium=_pinned(texts, years, medium) if medium else np.isin(years, [now_year - 1, now_year - 2]),
        current=current,
    )


def newest_pinned(pins: Iterable[str]) -> int:
    """Return the year in which the newest of pinned seasons ends; -1 where none is dated."""
    return max(map(last_year, pins), default=NO_SEASON)


def _pinned(texts: pl.Series, years: NDArray[np.int64], pins: tuple[str, ...]) -> Mask:
    """Tell which indices are pinned: by their text, or as the same season in the other notation."""
    dated = [year for year in map(last_year, pins) if year != NO_SEASON]
    named = texts.is_in(pl.Series(list(pins), dtype=pl.String).implode())
    return np.asarray(named.to_numpy(), dtype=np.bool_) | np.isin(years, dated)


def _begun(axis: Axis, years: NDArray[np.int64], now: np.datetime64) -> Mask:
    begun = years <= season_of(now) + 1 if axis.starts_at is None else axis.starts_at <= now
    found: Mask = (years != NO_SEASON) & begun
    return found


def _field(axis: Axis) -> str | None:
    """Return the field that holds an axis' seasons or years."""
    if axis.kind is AxisKind.TIME:
        return None
    dated = axis.starts_at is not None
    if axis.kind is AxisKind.INTEGER and not dated:
        return None
    named = [name for name in ("season", "year") if name in axis.fields]
    if named:
        return named[0]
    return axis.name if dated and axis.kind in (AxisKind.SEASON, AxisKind.INTEGER) else None
