"""Bind a declared data type to this cycle's axes: which placeholders are enumerated, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.dimensions import Axis
from recon.core.inventory import CatalogSpec, Dataset, Inventory, PatternSpec
from recon.core.pattern import Template
from recon.model import Kind, Notice


@dataclass(frozen=True, eq=False)
class Catalog:
    """A loaded catalog: every column as String (empty text where the file had none), rows in file order."""

    spec: CatalogSpec
    frame: pl.DataFrame


@dataclass(frozen=True, eq=False)
class LifeSpans:
    """For a catalog with life spans: row ``i`` is expected only for the indices
    ``first[i] .. first[i] + count[i] - 1`` of the axis ``steps`` (its intervals ascend)."""

    rows: str
    steps: str
    first: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BoundPattern:
    """One pattern with its enumerated axes, in order of first appearance, and its wildcards' names.

    Every placeholder of ``template`` is a field of exactly one axis, or a wildcard.
    """

    spec: PatternSpec
    template: Template
    axes: tuple[Axis, ...]
    wildcards: tuple[str, ...]
    spans: LifeSpans | None
    min_size_bytes: int
    freshness_s: float | None
    due_after_s: float
    required: bool


@dataclass(frozen=True, eq=False)
class Expectation:
    """The patterns of one data type that are judged together: one group of coverage rows.

    ``partition`` names fields (a catalog's column, a dimension, ``season`` …), possibly none.
    ``expected`` is the number wanted per partition (counted only).
    """

    kind: Kind
    patterns: tuple[BoundPattern, ...]
    partition: tuple[str, ...]
    expected: int | None = None


@dataclass(frozen=True, eq=False)
class BoundType:
    """A data type as this cycle judges it. ``skipped`` says why it cannot be judged at all (no catalog)."""

    dataset: Dataset
    expectations: tuple[Expectation, ...]
    skipped: str | None = None


@dataclass(frozen=True, eq=False)
class Binding:
    """All bound types, in inventory order, with what a person should know about them."""

    types: tuple[BoundType, ...]
    notices: tuple[Notice, ...]


def bind(inventory: Inventory, catalogs: Mapping[str, Catalog], now: np.datetime64) -> Binding:
    """Return every data type bound to the axes of ``now``; raise ``ConfigError`` with every problem at once."""
    raise NotImplementedError
