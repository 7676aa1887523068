"""A loaded catalog, and the axis of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.inventory import CatalogSpec
from recon.core.moments import Instants, instants
from recon.core.season_years import season_starts

#: Rows named in one message.
_ROWS_SHOWN = 3
_EVER = np.datetime64("9999-12-31", "s")
_DAWN = np.datetime64("0001-01-01", "s")


@dataclass(frozen=True, eq=False)
class Catalog:
    """A loaded catalog: every column as String (empty text where the file had none), rows in file order."""

    spec: CatalogSpec
    frame: pl.DataFrame


def rows_axis(catalog: Catalog, starts: tuple[int, int]) -> Axis:
    """Return the axis of a catalog's rows; its fields are all columns.

    ``due_at`` comes from the due column: an instant, or a bare date, which stands for its midnight in UTC.
    A ``season`` (else ``year``) column that reads as seasons or years throughout gives the rows their
    intervals of time (seasons begin on ``starts``).

    Raises:
        InvalidValueError: Where a column that the declaration names is not there, or the due column does
            not read as dates throughout.
    """
    spec, frame = catalog.spec, catalog.frame.fill_null("")
    for column in (spec.due, spec.partition, spec.starts, spec.ends):
        if column is not None and column not in frame.columns:
            raise InvalidValueError(
                f"{_title(spec)} has no column '{column}'{did_you_mean(column, frame.columns)}"
            )
    due_at = None if spec.due is None else instants(frame[spec.due], "UTC")
    if due_at is not None and np.isnat(due_at).any():
        raise InvalidValueError(_rows_message(spec, spec.due or "", np.isnat(due_at), "holds no date"))
    begins, ends = _intervals(frame, starts)
    return Axis(
        spec.name,
        AxisKind.ROWS,
        frame.height,
        tuple(frame.columns),
        starts_at=begins,
        ends_at=ends,
        due_at=due_at,
        columns=dict(zip(frame.columns, frame.get_columns(), strict=True)),
    )


def empty_cells(catalog: Catalog, rows: Axis, used: Iterable[str]) -> list[str]:
    """Return one message per column of ``used`` that has empty cells."""
    found = []
    for column in dict.fromkeys(used):
        empty = (rows.columns[column].str.strip_chars() == "").to_numpy()
        if empty.any():
            found.append(_rows_message(catalog.spec, column, empty, "is empty"))
    return found


def lives(catalog: Catalog, rows: Axis, zone: str) -> tuple[Instants, Instants] | None:
    """Return from when (inclusive) until when (exclusive) each row lives; None without life spans.

    Bare dates are whole days by the wall clock of ``zone``, the ``until`` day included. An empty cell
    leaves its end open.
    """
    spec = catalog.spec
    if spec.starts is None and spec.ends is None:
        return None
    begins = np.full(rows.size, _DAWN) if spec.starts is None else _life(spec, rows, spec.starts, _DAWN, zone)
    ends = np.full(rows.size, _EVER) if spec.ends is None else _life(spec, rows, spec.ends, _EVER, zone)
    return begins, ends


def still_living(catalog: Catalog, rows: Axis, now: np.datetime64) -> Axis:
    """Return the rows whose life has not ended by ``now``; a row is not due before its life begins."""
    spans = lives(catalog, rows, "UTC")
    if spans is None:
        return rows
    begins, ends = spans
    due_at = begins if rows.due_at is None else np.maximum(begins, rows.due_at)
    return replace(rows, due_at=due_at, _texts={}).only(ends > now)


def _life(spec: CatalogSpec, rows: Axis, column: str, blank: np.datetime64, zone: str) -> Instants:
    texts = rows.columns[column]
    moments = instants(texts, zone, ends=column == spec.ends)
    empty = (texts.str.strip_chars() == "").to_numpy()
    bad = np.isnat(moments) & ~empty
    if bad.any():
        raise InvalidValueError(_rows_message(spec, column, bad, "holds no date"))
    return np.where(empty, blank, moments)


def _intervals(frame: pl.DataFrame, starts: tuple[int, int]) -> tuple[Instants, Instants] | tuple[None, None]:
    column = next((name for name in ("season", "year") if name in frame.columns), None)
    if column is None or not frame.height:
        return None, None
    read = frame.select(
        year=pl.col(column).str.extract(r"^(\d{4})(?:-\d{2})?$").cast(pl.Int64),
        named=pl.col(column).str.contains("-", literal=True),
    )
    if read["year"].null_count():
        return None, None
    years: NDArray[np.int64] = read["year"].to_numpy()
    if read["named"].any() or column == "season":
        begins = np.where(read["named"].to_numpy(), years, years - 1)
        return season_starts(begins, starts), season_starts(begins + 1, starts)
    return season_starts(years, (1, 1)), season_starts(years + 1, (1, 1))


def _title(spec: CatalogSpec) -> str:
    return f"catalog '{spec.name}' ({spec.file or spec.lake or 'no file'})"


def _rows_message(spec: CatalogSpec, column: str, bad: NDArray[np.bool_], what: str) -> str:
    rows = np.flatnonzero(bad) + 1
    shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
    more = f" and {len(rows) - _ROWS_SHOWN:,} more" if len(rows) > _ROWS_SHOWN else ""
    return f"{_title(spec)}: column '{column}' {what} in row {shown}{more}; fill it in or remove the row"
