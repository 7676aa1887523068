"""When a pattern's objects are due, and which of them are live: both decided by one of its axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.bound import BoundPattern
from recon.core.moments import Instants


def due_at(pattern: BoundPattern) -> tuple[int, Instants] | None:
    """Return the place of the deciding axis and when each of its indices is due (datetime64[s] UTC).

    The end of a time step; else the catalog's due column; else the START of a season or year; each plus
    ``due_after``. ``due: start`` or ``end`` picks the other edge of a step or season. None: always due.
    """
    place = _deciding(pattern)
    if place is None:
        return None
    axis = pattern.axes[place]
    after = np.timedelta64(round(pattern.due_after_s), "s")
    if axis.due_at is not None:
        return place, axis.due_at + after
    default = "end" if axis.kind is AxisKind.TIME else "start"
    edge = axis.starts_at if (pattern.due_edge or default) == "start" else axis.ends_at
    return None if edge is None else (place, edge + after)


def live(pattern: BoundPattern, now: np.datetime64) -> tuple[int, NDArray[np.bool_]] | None:
    """Return the place of the deciding axis and which of its indices are live, where freshness applies.

    Live are the time step that contains ``now``, and the current season or year: the greatest enumerated
    one that has begun. Rows with a due column and no season are live on the UTC day they are due. None: the
    pattern has no season, year or time, and all of its objects are live.
    """
    place = _deciding(pattern)
    if place is None:
        return None
    axis = pattern.axes[place]
    if axis.starts_at is None or axis.ends_at is None:
        if pattern.due_by_life:
            return None
        days = np.array([], "datetime64[D]") if axis.due_at is None else axis.due_at.astype("datetime64[D]")
        return place, days == now.astype("datetime64[D]")
    if axis.kind is AxisKind.TIME:
        return place, (axis.starts_at <= now) & (now < axis.ends_at)
    begun = axis.starts_at <= now
    current = axis.starts_at[begun].max() if begun.any() else now
    return place, axis.starts_at == current


def _deciding(pattern: BoundPattern) -> int | None:
    """Return the place of the axis that decides: time steps (the most of them), due rows, seasons."""

    def rank(place: int) -> tuple[int, int]:
        return _weight(pattern.axes[place]), pattern.axes[place].size

    timed = [place for place in range(len(pattern.axes)) if _weight(pattern.axes[place])]
    return max(timed, key=rank) if timed else None


def _weight(axis: Axis) -> int:
    if axis.kind is AxisKind.TIME:
        return 3
    if axis.due_at is not None:
        return 2
    return int(axis.starts_at is not None)
