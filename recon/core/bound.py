"""What binding yields: data types with their patterns' axes, kinds, partitions and numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recon.core.axis import Axis
from recon.core.inventory import Dataset, PatternSpec
from recon.core.pattern import Template
from recon.model import Kind, Notice


@dataclass(frozen=True, eq=False)
class LifeSpans:
    """For a catalog with life spans: the steps inside which each row is expected.

    Row ``i`` is expected only for the indices ``first[i] .. first[i] + count[i] - 1`` of the axis ``steps``
    (its intervals ascend).
    """

    rows: str
    steps: str
    first: NDArray[np.int64]
    count: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BoundPattern:
    """One pattern with its enumerated axes, in order of first appearance, and its wildcards' names.

    ``place`` is its number among its data type's patterns: of those that fit a key, the lowest has it.
    Every placeholder of ``template`` is a field of exactly one axis, or a wildcard. ``due_edge`` is
    ``start``, ``end`` or None: the declared edge of the deciding interval. ``due_by_life`` tells that its
    rows are due from their life spans alone, and so have no time of their own.
    """

    place: int
    spec: PatternSpec
    template: Template
    axes: tuple[Axis, ...]
    wildcards: tuple[str, ...]
    spans: LifeSpans | None
    min_size_bytes: int
    freshness_s: float | None
    due_after_s: float
    required: bool
    due_edge: str | None = None
    due_by_life: bool = False

    def axis_of(self, field: str) -> Axis | None:
        """Return the axis that fills ``field``; None for a wildcard or a name not known here."""
        return next((axis for axis in self.axes if field in axis.fields), None)

    @property
    def enumerated(self) -> tuple[str, ...]:
        """Return the names of the placeholders that are enumerated, in order of first appearance."""
        return tuple(name for name in self.template.names if name not in self.wildcards)


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
