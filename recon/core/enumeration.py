"""Which axis each placeholder of a pattern gets in this cycle, narrowed to what its data type asks for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from recon.core.axis import Axis, AxisKind
from recon.core.catalog import Catalog, rows_axis
from recon.core.dimensions import Dimension, SeasonsDimension, axis
from recon.core.invalid import InvalidValueError
from recon.core.inventory import Dataset, Inventory
from recon.core.naming import is_named, named, plain_texts
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
        #: By data type, those of its own seasons that what they narrow does not hold.
        self.foreign_seasons: dict[str, tuple[str, ...]] = {}
        self._foreign: dict[Hashable, tuple[str, ...]] = {}
        #: Data types whose own seasons narrowed something; (source, data type) of those that took seasons.
        self.narrowed_types: set[str] = set()
        self.season_takers: set[tuple[str, str]] = set()
        #: (source, ``season`` or ``year``) that a dimension of that name fills.
        self.season_dimensions: set[tuple[str, str]] = set()

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
            if name in SEASON_FIELDS:
                self.season_dimensions.add((dataset.source, name))
        elif name in SEASON_FIELDS:
            taken = catalog.frame.columns if catalog is not None else []
            fields = tuple(n for n in names if n in SEASON_FIELDS and n not in {*taken, *self.dimensions})
            declared = dataset.seasons or dataset.type_seasons
            if declared is None:
                return None
            whole = self._of_seasons(declared, fields or (name,), segments)
            self.season_takers.add((dataset.source, dataset.data_type))
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
        without = tuple(pair for pair in dataset.except_values if pair[0] in whole.fields)
        for name, texts in without:
            found = named(whole, name, texts, across_notations=True)
            self._left_out.setdefault((dataset.name, name), set()).update(found)
        allowed = None
        if field is not None and dataset.type_seasons is not None:
            self.narrowed_types.add(dataset.name)
            allowed = self._of_seasons(dataset.type_seasons, (field,), segments)
        key = ("narrowed", id(whole), id(allowed), without)
        if key not in self._axes:
            self._axes[key] = self._cut(key, whole, allowed, without)
        if self._foreign.get(key):
            self.foreign_seasons[dataset.name] = self._foreign[key]
        return self._axes[key]

    def _cut(
        self,
        key: Hashable,
        whole: Axis,
        allowed: Axis | None,
        without: tuple[tuple[str, tuple[str, ...]], ...],
    ) -> Axis:
        keep = np.ones(whole.size, dtype=bool)
        if allowed is not None:
            own = plain_texts(allowed, allowed.name).to_list()
            keep &= is_named(whole, allowed.name, own, across_notations=True)
            if whole.kind is not AxisKind.ROWS:
                known = named(whole, allowed.name, own, across_notations=True)
                self._foreign[key] = tuple(sorted(set(own) - known))
        for name, texts in without:
            keep &= ~is_named(whole, name, texts, across_notations=True)
        if not keep.any() and whole.kind is not AxisKind.ROWS:
            field = whole.name if allowed is None else allowed.name
            raise InvalidValueError(
                f"seasons and except leave nothing of '{field}', which has {summary(whole)}",
            )
        return whole.only(keep)


def literal_segments(template: Template) -> tuple[str, ...]:
    """Return the segments that hold no placeholder."""
    return tuple(s[0] for s in template.segments if len(s) == 1 and isinstance(s[0], str))


def summary(axis: Axis) -> str:
    """Return an axis in words: ``80 values (1946 … 2025)``."""
    texts = axis.texts(axis.fields[0])
    return f"{axis.size:,} values ({texts[0]} … {texts[-1]})" if axis.size > 1 else f"only {texts.to_list()}"


def _why_empty(dimension: Dimension | None) -> str:
    if dimension is None or dimension.kind != "time":
        return "; declare at least one"
    end = dimension.end.at if dimension.end else "now"
    return (
        f"; its start, {dimension.start.at}, lies after its end, {end}, or 'only' and 'except' leave nothing"
    )
