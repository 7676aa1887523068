"""The expected keys of one expectation as ordinals ``0..size-1``: encode, decode, due, live, partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.axis import Axis
from recon.core.block import Block, Ordinals
from recon.core.bound import BoundType, Expectation
from recon.core.due import due_at, live
from recon.core.key_column import KeyColumn
from recon.core.moments import Instants
from recon.core.naming import is_named
from recon.core.partitions import Partitions
from recon.core.precedence import earlier, left_by, may_share, shared, swallowed
from recon.core.segment import Mask
from recon.core.text_table import Codes
from recon.errors import DomainTooLargeError
from recon.model import Kind, Notice

#: The default of ``max_expected_keys``: above it a data type is refused before anything is expanded.
MAX_EXPECTED_KEYS = 500_000_000
_NEVER = np.datetime64("NaT", "s")
#: Some rows of a column: all of them, or those at these places.
Rows = slice | NDArray[np.int64]


class Domain:
    """One group of patterns that are judged together, laid end to end as one run of ordinals.

    Exact: one ordinal per expected key (``shadowed`` ordinals are keys of an earlier pattern and are
    expected nowhere). Counted and any: one ordinal per combination of the enumerated values. A key belongs to
    the first pattern of its data type that fits it: no two groups of a type claim one key.
    """

    def __init__(
        self, bound: BoundType, expectation: Expectation, *, max_expected_keys: int = MAX_EXPECTED_KEYS
    ) -> None:
        """Lay out the blocks; raise ``DomainTooLargeError`` or ``ConfigError`` naming the line."""
        self.dataset = bound.dataset
        self.expectation = expectation
        self.kind = expectation.kind
        independent = [pattern.axes for pattern in expectation.patterns if pattern.spans is None]
        self._refuse_above(max_expected_keys, sum(_extent(axes) for axes in independent))
        self.blocks = [Block(pattern) for pattern in expectation.patterns]
        self.bases = np.concatenate([[0], np.cumsum([block.size for block in self.blocks])]).astype(np.int64)
        self.size = int(self.bases[-1])
        self._refuse_above(max_expected_keys, self.size)
        self.partitions = Partitions()
        for block in self.blocks:
            explicit = self.kind is not Kind.EXACT or self.dataset.partition or block.pattern.spec.partition
            self.partitions.add(block, expectation.partition, coarse=not explicit)
        self.notices: list[Notice] = []
        self._rivals = [earlier(bound, expectation, block.pattern) for block in self.blocks]
        self.shadowed = self._shadowed() if self.kind is Kind.EXACT else BitMap()

    @property
    def name(self) -> str:
        """Return ``source.data_type``."""
        return self.dataset.name

    @property
    def expected(self) -> BitMap:
        """Return every expected ordinal."""
        return BitMap(range(self.size)) - self.shadowed

    # -- keys -----------------------------------------------------------------------------------------

    def encode(self, keys: pl.Series | KeyColumn) -> Ordinals:
        """Return the ordinal of each key (String), -1 where no pattern claims it or an earlier one has it."""
        column = keys if isinstance(keys, KeyColumn) else KeyColumn.of(keys)
        found = left_by(self._rivals[0], column, self.blocks[0].encode(column))
        for number, block in enumerate(self.blocks[1:], start=1):
            ordinals = left_by(self._rivals[number], column, block.encode(column))
            found = np.where((found < 0) & (ordinals >= 0), ordinals + self.bases[number], found)
        return found

    def decode(self, ordinals: Ordinals) -> pl.Series:
        """Return the key of each ordinal (String), in the order given."""
        return self._gather(ordinals, lambda block, own: block.decode(own))

    def prefixes(self, ordinals: Ordinals) -> pl.Series:
        """Return the narrowest prefix (String) under which each ordinal's objects lie."""
        return self._gather(ordinals, lambda block, own: block.decode(own, stop_at_wildcard=True))

    def items(self, ordinals: Ordinals) -> list[dict[str, Any]]:
        """Return the placeholders' raw values of each ordinal, for task bodies."""
        items: list[dict[str, Any]] = [{} for _ in range(len(ordinals))]
        numbers = np.arange(len(ordinals))
        for rows, block, own in self.by_block(ordinals):
            for number, axis in enumerate(block.axes):
                index = block.index(own, number)
                for field in block.pattern.template.names:
                    if field in axis.fields:
                        values = axis.values(field, index).to_list()
                        for row, value in zip(numbers[rows], values, strict=True):
                            items[row][field] = value
        return items

    def pattern_texts(self, ordinals: Ordinals) -> list[str]:
        """Return the declared pattern of each ordinal."""
        place = np.searchsorted(self.bases, ordinals, side="right") - 1
        return [self.blocks[int(number)].pattern.spec.text for number in place]

    # -- time -----------------------------------------------------------------------------------------

    def due_at(self, ordinals: Ordinals) -> Instants:
        """Return when each ordinal is due (datetime64[s] UTC; NaT: always)."""
        found = np.full(len(ordinals), _NEVER, dtype="datetime64[s]")
        for rows, block, own in self.by_block(ordinals):
            decided = due_at(block.pattern)
            if decided is not None:
                axis, instants = decided
                found[rows] = instants[block.index(own, axis)]
        return found

    def not_due(self, now: np.datetime64) -> BitMap:
        """Return the ordinals that are due after ``now``."""
        found = BitMap()
        for base, block in zip(self.bases, self.blocks, strict=False):
            decided = due_at(block.pattern) if block.size else None
            if decided is None:
                continue
            axis, instants = decided
            later = instants > now
            if later.any():
                found |= _shifted(block.where(axis, later), int(base))
        return found - self.shadowed

    def live(self, ordinals: Ordinals, now: np.datetime64) -> Mask:
        """Tell which ordinals lie in a live partition, where freshness applies."""
        found = np.ones(len(ordinals), dtype=np.bool_)
        if self.dataset.freshness_applies_to_all:
            return found
        for rows, block, own in self.by_block(ordinals):
            decided = live(block.pattern, now)
            if decided is not None:
                axis, mask = decided
                found[rows] = mask[block.index(own, axis)]
        return found

    # -- sets -----------------------------------------------------------------------------------------

    def having(self, fields: Sequence[tuple[str, str]]) -> BitMap:
        """Return the ordinals whose fields have these values, as ``naming`` reads them."""
        found = BitMap()
        for base, block in zip(self.bases, self.blocks, strict=False):
            found |= _shifted(_matching(block, fields), int(base))
        return found - self.shadowed

    def has(self, fields: Sequence[tuple[str, str]]) -> bool:
        """Tell whether any ordinal's fields have these values, expanding them only inside life spans."""
        return any(_has(block, fields) for block in self.blocks)

    def partition(self, ordinals: Ordinals) -> Codes:
        """Return the partition number of each ordinal (into ``partitions.labels``)."""
        if len(self.blocks) == 1:
            return self.partitions.of(0, ordinals)
        found = np.zeros(len(ordinals), dtype=np.int64)
        for rows, block, own in self.by_block(ordinals):
            found[rows] = self.partitions.of(self.blocks.index(block), own)
        return found

    def by_block(self, ordinals: Ordinals) -> Iterator[tuple[Rows, Block, Ordinals]]:
        """Yield (rows, block, the block's own ordinals) for each block that occurs."""
        if len(self.blocks) == 1:
            yield slice(None), self.blocks[0], ordinals
            return
        place = np.searchsorted(self.bases, ordinals, side="right") - 1
        for number, block in enumerate(self.blocks):
            rows = np.flatnonzero(place == number)
            if len(rows):
                yield rows, block, ordinals[rows] - self.bases[number]

    def _refuse_above(self, limit: int, expected: int) -> None:
        if expected > limit:
            raise DomainTooLargeError(
                f"{self.dataset.where}: {self.name} would expect {expected:,} keys, over max_expected_keys "
                f"({limit:,}). Narrow a dimension, use a catalog (for_each), or leave a placeholder "
                "without a dimension and give a number instead.",
            )

    def _gather(self, ordinals: Ordinals, text: Callable[[Block, Ordinals], pl.Series]) -> pl.Series:
        if len(self.blocks) == 1:
            return text(self.blocks[0], ordinals)
        parts = [(rows, text(block, own)) for rows, block, own in self.by_block(ordinals)]
        if not parts:
            return pl.Series([], dtype=pl.String)
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        return pl.concat([texts for _, texts in parts]).gather(order)

    def _shadowed(self) -> BitMap:
        """Return the ordinals of keys that an earlier pattern claims; forget the rivals that claim none."""
        shadowed = BitMap()
        for number, block in enumerate(self.blocks):
            rivals = self._rivals[number]
            own = [other for other in self.blocks[:number] if may_share(other.pattern, block.pattern)]
            taken = [shared(block, other) for other in (*rivals, *own)]
            self._rivals[number] = tuple(other for other, bits in zip(rivals, taken, strict=False) if bits)
            self.notices += swallowed(self.name, block, zip(rivals, taken, strict=False))
            shadowed |= _shifted(BitMap.union(BitMap(), *taken), int(self.bases[number]))
        return shadowed


def _matching(block: Block, fields: Sequence[tuple[str, str]]) -> BitMap:
    masks = _masks(block, fields)
    if masks is None or not block.size:
        return BitMap()
    found = BitMap(range(block.size))
    for owner, mask in masks.items():
        found &= block.where(owner, mask)
    return found


def _has(block: Block, fields: Sequence[tuple[str, str]]) -> bool:
    masks = _masks(block, fields)
    if masks is None or not block.size:
        return False
    if block.pattern.spans is not None:
        return bool(_matching(block, fields))
    return all(mask.any() for mask in masks.values())


def _masks(block: Block, fields: Sequence[tuple[str, str]]) -> dict[int, Mask] | None:
    """Return, by axis, which of its indices have the values of ``fields``; None where one is a wildcard."""
    masks: dict[int, Mask] = {}
    for field, value in fields:
        owner = next((n for n, axis in enumerate(block.axes) if field in axis.fields), None)
        if owner is None:
            return None
        mask = is_named(block.axes[owner], field, [value])
        masks[owner] = mask & masks[owner] if owner in masks else mask
    return masks


def _shifted(bits: BitMap, by: int) -> BitMap:
    return bits.shift(by) if by else bits


def _extent(axes: Sequence[Axis]) -> int:
    size = 1
    for axis in axes:
        size *= axis.size
    return size
