"""Which axis each placeholder of a pattern gets in this cycle, narrowed to what its data type asks for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.catalog import Catalog, rows_axis
from recon.core.dimensions import Dimension, SeasonsDimension, axis
from recon.core.invalid import InvalidValueError
from recon.core.inventory import Dataset, Inventory
from recon.core.pattern import Template
from recon.core.season_years import DEFAULT_STARTS
from recon.core.seasons import Seasons, seasons_axis

#: The placeholders that a source's seasons fill.
SEASON_FIELDS = ("season", "year")


class Enumeration:
    """Builds the axes of one cycle, each once: patterns that ask for the same values share an axis."""

    def __init__(self, inventory: Inventory, catalogs: Mapping[str, Catalog], now: np.datetime64) -> None:
        """Take everything that is declared or loaded; nothing is enumerated yet."""
        self.dimensions: dict[str, Dimension] = {item.name: item for item in inventory.dimensions}
        self.catalogs = catalogs
        self.now = now
        season = self.dimensions.get("season")
        self.starts = season.starts if isinstance(season, SeasonsDimension) else DEFAULT_STARTS
        self._axes: dict[Hashable, Axis] = {}
        self._left_out: dict[tuple[str, str], set[str]] = {}
        #: By data type, those of its own seasons that its source or dimension does not hold.
        self.foreign_seasons: dict[str, list[str]] = {}

    def axes(self, dataset: Dataset, template: Template) -> tuple[Axis, ...]:
        """Return the axes that fill the template's placeholders, in order of first appearance.

        A name is looked for among the columns of the data type's catalog, then among the dimensions, then
        (``season`` and ``year``) it takes the seasons of the source or data type. Names found nowhere are
        wildcards.

        Raises:
            InvalidValueError: Where an axis cannot be built, or nothing of it is left.
        """
        segments = literal_segments(template)
        found: dict[tuple[str, ...], Axis] = {}
        for name in template.names:
            own = self.axis(dataset, name, segments, template.names)
            if own is not None:
                found.setdefault(own.fields, own)
        return tuple(found.values())

    def axis(
        self, dataset: Dataset, name: str, segments: tuple[str, ...], names: Iterable[str] = ()
    ) -> Axis | None:
        """Return the narrowed axis that fills ``name`` beside ``names``; None for a wildcard."""
        catalog = self.catalogs.get(dataset.for_each or "")
        if catalog is not None and name in catalog.frame.columns:
            return self._narrowed(self._rows(catalog), dataset, segments)
        dimension = self.dimensions.get(name)
        if dimension is not None:
            whole = self._of_dimension(dimension, segments)
        elif name in SEASON_FIELDS:
            taken = catalog.frame.columns if catalog is not None else []
            fields = tuple(n for n in names if n in SEASON_FIELDS and n not in {*taken, *self.dimensions})
            declared = dataset.seasons or dataset.type_seasons
            if declared is None:
                return None
            whole = self._of_seasons(declared, fields or (name,), segments)
        else:
            return None
        if not whole.size:
            raise InvalidValueError(f"'{name}' has no values{_why_empty(dimension)}")
        return self._narrowed(whole, dataset, segments)

    def left_out(self, dataset: Dataset) -> dict[str, set[str]]:
        """Return, for each name of ``except`` that an axis fills, the values that left something out."""
        names = [name for name, _ in dataset.except_values]
        return {
            name: self._left_out[dataset.name, name]
            for name in names
            if (dataset.name, name) in self._left_out
        }

    def _rows(self, catalog: Catalog) -> Axis:
        key = ("rows", catalog.spec.name)
        if key not in self._axes:
            self._axes[key] = rows_axis(catalog, self.starts)
        return self._axes[key]

    def _of_dimension(self, dimension: Dimension, segments: tuple[str, ...]) -> Axis:
        leagues = dimension.seasons.of(segments) if isinstance(dimension, SeasonsDimension) else ()
        key = ("dimension", dimension.name, leagues)
        if key not in self._axes:
            self._axes[key] = axis(dimension, self.now, segments)
        return self._axes[key]

    def _of_seasons(self, seasons: Seasons, fields: tuple[str, ...], segments: tuple[str, ...]) -> Axis:
        key = ("seasons", seasons.of(segments), fields)
        if key not in self._axes:
            self._axes[key] = seasons_axis(seasons, fields, segments, self.now, starts=self.starts)
        return self._axes[key]

    def _narrowed(self, whole: Axis, dataset: Dataset, segments: tuple[str, ...]) -> Axis:
        """Return ``whole`` without what the data type's ``seasons`` and ``except`` leave out."""
        field = next((name for name in SEASON_FIELDS if name in whole.fields), None)
        wanted = dataset.type_seasons if field is not None else None
        without = tuple(pair for pair in dataset.except_values if pair[0] in whole.fields)
        for name, texts in without:
            self._left_out.setdefault((dataset.name, name), set()).update(_named(whole, name, texts))
        key = ("narrowed", id(whole), wanted and wanted.of(segments), without)
        if key in self._axes:
            return self._axes[key]
        keep = np.ones(whole.size, dtype=bool)
        if wanted is not None and field is not None:
            allowed = self._of_seasons(wanted, (field,), segments)
            own = plain_texts(allowed, field)
            keep &= _is_in(whole, field, own)
            if whole.kind is not AxisKind.ROWS:
                self.foreign_seasons[dataset.name] = sorted(set(own) - _named(whole, field, own))
        for name, texts in without:
            keep &= ~_is_in(whole, name, texts)
        if not keep.any() and whole.kind is not AxisKind.ROWS:
            raise InvalidValueError(
                f"seasons and except leave nothing of '{field or whole.name}', which has {summary(whole)}",
            )
        self._axes[key] = whole.only(keep)
        return self._axes[key]


def literal_segments(template: Template) -> tuple[str, ...]:
    """Return the segments that hold no placeholder."""
    return tuple(s[0] for s in template.segments if len(s) == 1 and isinstance(s[0], str))


def plain_texts(axis: Axis, field: str) -> pl.Series:
    """Return each index's value as people write it in YAML: integers unpadded, the rest as in keys."""
    return axis.columns[field].cast(pl.String) if axis.kind is AxisKind.INTEGER else axis.texts(field)


def summary(axis: Axis) -> str:
    """Return an axis in words: ``80 values (1946 … 2025)``."""
    texts = axis.texts(axis.fields[0])
    return f"{axis.size:,} values ({texts[0]} … {texts[-1]})" if axis.size > 1 else f"only {texts.to_list()}"


def _named(axis: Axis, field: str, texts: Iterable[str]) -> set[str]:
    """Return those of ``texts`` that name at least one index."""
    known = set(plain_texts(axis, field).unique())
    if axis.kind is AxisKind.TIME:
        known.update(axis.texts(field, "%Y-%m-%d").unique())
    return known.intersection(texts)


def _is_in(axis: Axis, field: str, texts: Iterable[str]) -> NDArray[np.bool_]:
    """Tell which indices are named by ``texts``; a date names every step that begins on it."""
    wanted = pl.Series(list(texts), dtype=pl.String).implode()
    found = plain_texts(axis, field).is_in(wanted)
    if axis.kind is AxisKind.TIME:
        found = found | axis.texts(field, "%Y-%m-%d").is_in(wanted)
    return np.asarray(found.to_numpy(), dtype=np.bool_)


def _why_empty(dimension: Dimension | None) -> str:
    if dimension is None or dimension.kind != "time":
        return "; declare at least one"
    end = dimension.end.at if dimension.end else "now"
    return (
        f"; its start, {dimension.start.at}, lies after its end, {end}, or 'only' and 'except' leave nothing"
    )
