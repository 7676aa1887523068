"""Bind one pattern: its template, its axes told apart, its life spans, its settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recon.core.axis import Axis, AxisKind
from recon.core.bound import BoundPattern, LifeSpans
from recon.core.catalog import Catalog, empty_cells, lives, still_living
from recon.core.distinct import distinct
from recon.core.enumeration import Enumeration
from recon.core.findings import Findings
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.inventory import Dataset
from recon.core.pattern import Template, parse_template


def bound_pattern(
    dataset: Dataset, place: int, enumeration: Enumeration, findings: Findings
) -> BoundPattern | None:
    """Return pattern ``place`` of ``dataset`` bound to its axes; None, with the problem noted, on failure."""
    spec = dataset.patterns[place]
    try:
        template = parse_template(spec.text)
        axes = enumeration.axes(dataset, template)
        bound = _with_settings(dataset, place, template, axes)
        catalog = enumeration.catalogs.get(dataset.for_each or "")
        if catalog is not None:
            _check_names(dataset, bound, catalog, enumeration)
            bound = _living(_checked_rows(dataset, bound, catalog, findings), catalog, enumeration.now)
        return _told_apart(bound, findings)
    except InvalidValueError as error:
        findings.error(spec.where, f"{dataset.name}: {error.message}")
        return None


def _with_settings(dataset: Dataset, place: int, template: Template, axes: tuple[Axis, ...]) -> BoundPattern:
    spec = dataset.patterns[place]
    fields = {field for axis in axes for field in axis.fields}
    return BoundPattern(
        place,
        spec,
        template,
        axes,
        tuple(name for name in template.names if name not in fields),
        spans=None,
        min_size_bytes=dataset.min_size_bytes if spec.min_size_bytes is None else spec.min_size_bytes,
        freshness_s=dataset.freshness_s if spec.freshness_s is None else spec.freshness_s,
        due_after_s=dataset.due_after_s if spec.due_after_s is None else spec.due_after_s,
        required=dataset.required if spec.required is None else spec.required,
        due_edge=dataset.due_at,
    )


def _check_names(dataset: Dataset, bound: BoundPattern, catalog: Catalog, enumeration: Enumeration) -> None:
    for name in bound.wildcards:
        known = [*catalog.frame.columns, *enumeration.dimensions]
        raise InvalidValueError(
            f"'{{{name}}}' in '{bound.spec.text}' is neither a column of '{dataset.for_each}' nor a dimension"
            f"{did_you_mean(name, known)}",
        )


def _checked_rows(
    dataset: Dataset, bound: BoundPattern, catalog: Catalog, findings: Findings
) -> BoundPattern:
    """Note every empty cell that the pattern or its partition would use."""
    rows = _rows(bound)
    if rows is not None:
        partition = bound.spec.partition or dataset.partition or ()
        default = () if partition or catalog.spec.partition is None else (catalog.spec.partition,)
        used = [name for name in (*bound.template.names, *partition, *default) if name in rows.fields]
        for message in empty_cells(catalog, rows, used):
            findings.error(catalog.spec.where, message)
    return bound


def _living(bound: BoundPattern, catalog: Catalog, now: np.datetime64) -> BoundPattern:
    """Return ``bound`` with its catalog's life spans: over its steps of time, or ended by ``now``."""
    rows = _rows(bound)
    if rows is None or (catalog.spec.starts is None and catalog.spec.ends is None):
        return bound
    steps = _steps(bound)
    if steps is None:
        axes = tuple(still_living(catalog, axis, now) if axis is rows else axis for axis in bound.axes)
        return replace(bound, axes=axes, due_by_life=catalog.spec.due is None)
    if steps.name == rows.name:
        raise InvalidValueError(f"a catalog with life spans and a dimension are both named '{rows.name}'")
    spans = lives(catalog, rows, steps.timezone)
    if spans is None or steps.starts_at is None or steps.ends_at is None:
        return bound
    first = np.searchsorted(steps.ends_at, spans[0], side="right").astype(np.int64)
    end = np.searchsorted(steps.starts_at, spans[1], side="left").astype(np.int64)
    return replace(bound, spans=LifeSpans(rows.name, steps.name, first, np.maximum(end - first, 0)))


def _told_apart(bound: BoundPattern, findings: Findings) -> BoundPattern:
    axes = []
    for axis in bound.axes:
        _check_texts(axis, bound)
        narrowed = distinct(axis, bound.template.placeholders)
        dropped = axis.size - narrowed.size
        if dropped and axis.kind is AxisKind.ROWS:
            if bound.spans is not None:
                raise InvalidValueError(
                    f"{dropped:,} rows of catalog '{axis.name}' render the same as another row in "
                    f"'{bound.spec.text}'; with life spans each thing needs exactly one row",
                )
            findings.notice(
                bound.spec.where,
                f"{dropped:,} of {axis.size:,} rows of catalog '{axis.name}' render the same key as another "
                f"row in '{bound.spec.text}'; each key is expected once, due with its latest row",
            )
        axes.append(narrowed)
    return replace(bound, axes=tuple(axes))


def _check_texts(axis: Axis, bound: BoundPattern) -> None:
    """Refuse a format that does not fit, and a value that would span two segments of the path.

    Only a catalog's texts need all be looked at; of other axes the first tells.
    """
    if axis.kind is not AxisKind.ROWS:
        axis = axis.take(np.arange(min(axis.size, 1)))
    for placeholder in bound.template.placeholders:
        if placeholder.name in axis.fields:
            texts = axis.texts(placeholder.name, placeholder.spec)
            slashed = texts.filter(texts.str.contains("/", literal=True))
            if len(slashed):
                raise InvalidValueError(
                    f"'{{{placeholder.name}}}' has the value '{slashed[0]}', which holds a '/'; "
                    "give each part of the path its own placeholder",
                )


def _rows(bound: BoundPattern) -> Axis | None:
    return next((axis for axis in bound.axes if axis.kind is AxisKind.ROWS), None)


def _steps(bound: BoundPattern) -> Axis | None:
    """Return the axis that life spans are laid over: steps of time, else seasons or years."""
    timed = [axis for axis in bound.axes if axis.kind is not AxisKind.ROWS and axis.starts_at is not None]
    return max(timed, key=lambda axis: axis.kind is AxisKind.TIME, default=None)
