"""The axis: an ordered, resolved value set, as columns of values with the texts they render to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.formats import rendered
from recon.core.invalid import InvalidValueError
from recon.core.moments import Instants

#: An axis above this is refused before it is built: its texts alone would take gigabytes.
MAX_AXIS_SIZE = 50_000_000


class AxisKind(StrEnum):
    """What the indices of an axis stand for."""

    SEASON = "season"  # names such as 1996-97: an interval of time each
    INTEGER = "integer"  # numbers; of seasons or years they have an interval of time, else none
    VALUE = "value"  # plain words
    TIME = "time"  # steps of time
    ROWS = "rows"  # the rows of a catalog


@dataclass(frozen=True, eq=False)
class Axis:
    """An ordered, resolved value set: what a dimension (or catalog) enumerates in this cycle.

    ``fields`` are the placeholder names it can fill: its own name, or a catalog's columns.
    ``starts_at``/``ends_at`` are datetime64[s] in UTC of length ``size``: the half-open interval that an
    index stands for; None for an axis without time. ``due_at`` is set by a catalog's due column.
    ``columns`` holds the values by field: Int64, Datetime in ``timezone``, or String. ``plain_spec`` is the
    format of ``{name}`` alone, ``partition_spec`` of a time step's partition. Both rendering and narrowing
    are vectorised; renderings are made when first asked for, and kept.
    """

    name: str
    kind: AxisKind
    size: int
    fields: tuple[str, ...]
    starts_at: Instants | None = None
    ends_at: Instants | None = None
    due_at: Instants | None = None
    columns: Mapping[str, pl.Series] = field(default_factory=dict, repr=False)
    plain_spec: str = ""
    partition_spec: str = ""
    timezone: str = "UTC"
    _texts: dict[tuple[str, str], pl.Series] = field(default_factory=dict, repr=False)

    def texts(self, field: str, spec: str = "") -> pl.Series:
        """Return the rendered text (String, length ``size``) of ``field`` under format ``spec``.

        Raises:
            InvalidValueError: If ``spec`` does not fit what the field holds.
        """
        wanted = (field, spec or self.plain_spec)
        if wanted not in self._texts:
            if spec and self.kind in (AxisKind.SEASON, AxisKind.VALUE):
                raise InvalidValueError(f"the texts of '{field}' take no format; got '{spec}'")
            self._texts[wanted] = rendered(self.columns[field], wanted[1], f"'{field}'").alias(field)
        return self._texts[wanted]

    def values(self, field: str, indices: NDArray[np.integer[Any]] | None = None) -> pl.Series:
        """Return what a task's items carry: Int64 for integers, ISO-8601 UTC text for times, else text.

        One value for each of ``indices``, in their order; without them, for the whole axis.
        """
        column = self.columns[field]
        if indices is not None:
            column = column.gather(indices)
        if not column.dtype.is_temporal():
            return column
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")

    def partition_texts(self, field: str = "", *, coarse: bool = True) -> pl.Series:
        """Return the partition each index belongs to: the plain text of ``field`` (default: its own name).

        With ``coarse``, steps of time are grouped: under a day by day, days by month, longer ones by year,
        in the dimension's time zone.
        """
        return self.texts(field or self.name, self.partition_spec if coarse else "")

    def take(self, indices: NDArray[np.integer[Any]]) -> Axis:
        """Return the axis narrowed to ``indices``, in their order."""

        def cut(moments: Instants | None) -> Instants | None:
            return None if moments is None else moments[indices]

        return replace(
            self,
            size=len(indices),
            starts_at=cut(self.starts_at),
            ends_at=cut(self.ends_at),
            due_at=cut(self.due_at),
            columns={name: column.gather(pl.Series(indices)) for name, column in self.columns.items()},
            _texts={},
        )

    def only(self, wanted: NDArray[np.bool_]) -> Axis:
        """Return the axis narrowed to the indices that are True in ``wanted`` (itself if all are)."""
        return self if bool(wanted.all()) else self.take(np.flatnonzero(wanted))
