"""Bind a declared data type to this cycle's axes: which placeholders are enumerated, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recon.core.advice import (
    note_description,
    note_ended_seasons,
    note_foreign_seasons,
    note_idle_except,
    note_idle_seasons,
    note_wildcards,
)
from recon.core.bound import Binding, BoundPattern, BoundType, Expectation, LifeSpans
from recon.core.bound_pattern import bound_pattern
from recon.core.catalog import Catalog
from recon.core.due import due_at, live
from recon.core.enumeration import Enumeration, literal_segments
from recon.core.findings import Findings
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.inventory import Dataset, Inventory
from recon.core.kinds import Judge
from recon.core.overlap import note_overlaps

__all__ = [
    "Binding",
    "BoundPattern",
    "BoundType",
    "Catalog",
    "Expectation",
    "LifeSpans",
    "bind",
    "due_at",
    "live",
]


def bind(inventory: Inventory, catalogs: Mapping[str, Catalog], now: np.datetime64) -> Binding:
    """Return every data type bound to the axes of ``now``; raise ``ConfigError`` with every problem at once.

    A data type whose catalog is declared, but missing from ``catalogs``, is skipped and says so.
    """
    findings = Findings()
    enumeration = Enumeration(inventory, catalogs, now.astype("datetime64[s]"))
    types = tuple(_bound_type(dataset, inventory, enumeration, findings) for dataset in inventory.datasets)
    note_overlaps(types, findings)
    findings.check()
    note_ended_seasons(inventory, enumeration, findings)
    note_idle_seasons(types, enumeration, findings)
    return Binding(types, tuple(findings.notices))


def _bound_type(
    dataset: Dataset, inventory: Inventory, enumeration: Enumeration, findings: Findings
) -> BoundType:
    if dataset.for_each is not None and dataset.for_each not in enumeration.catalogs:
        declared = [spec.name for spec in inventory.catalogs]
        if dataset.for_each not in declared:
            findings.error(
                dataset.where,
                f"{dataset.name}: unknown catalog '{dataset.for_each}'"
                f"{did_you_mean(dataset.for_each, declared)}",
            )
        return BoundType(dataset, (), skipped=f"catalog '{dataset.for_each}' could not be read")
    patterns = [
        bound_pattern(dataset, place, enumeration, findings) for place in range(len(dataset.patterns))
    ]
    found = [pattern for pattern in patterns if pattern is not None]
    if len(found) < len(patterns) or not found:
        return BoundType(dataset, ())
    for pattern in found:
        note_wildcards(dataset, pattern, enumeration, findings)
    note_foreign_seasons(dataset, enumeration, findings)
    note_description(dataset, found, findings)

    def size_of(name: str) -> int | None:
        return _size(name, dataset, found, enumeration)

    catalog = enumeration.catalogs.get(dataset.for_each or "")
    try:
        expectations = Judge(dataset, catalog, size_of, findings).expectations(found)
    except InvalidValueError as error:
        findings.error(dataset.where, f"{dataset.name}: {error.message}")
        return BoundType(dataset, ())
    note_idle_except(dataset, enumeration.left_out(dataset), findings)
    return BoundType(dataset, expectations)


def _size(name: str, dataset: Dataset, patterns: list[BoundPattern], enumeration: Enumeration) -> int | None:
    """Return how many values fill ``name`` over all the data type's patterns together."""
    texts: set[str] = set()
    for pattern in patterns:
        axis = enumeration.axis(dataset, name, literal_segments(pattern.template))
        if axis is not None:
            texts.update(axis.texts(name).to_list())
    return len(texts) or None
