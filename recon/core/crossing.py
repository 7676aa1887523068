"""From one plan's ordinals to another's: the same keys, told by the texts that they are made of.

Ordinals mean something only within one plan: time goes on, catalogs grow. Where both plans lay a type out
alike the ordinals are the same; else each axis is looked up once, and ordinals are computed, not rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from pyroaring import BitMap

from recon.core.block import CHUNK, Block, Ordinals, bitmap, ordinals_of
from recon.core.domain import Domain
from recon.core.layout import texts
from recon.core.text_table import Codes

#: Keys that are rendered at once, where nothing else tells.
_ROWS = 1 << 18


@dataclass(eq=False)
class Crossing:
    """A data type's keys as an earlier plan numbered them, and as this one does."""

    before: Domain
    now: Domain

    def seen_before(self, ordinals: BitMap, bits: BitMap) -> BitMap:
        """Return those of today's ``ordinals`` whose keys are in ``bits`` (the earlier plan's)."""
        if not ordinals or not bits or self._is_same:
            return ordinals & bits
        if not self._is_by_block:
            return _matched(self._by_key(ordinals, self.now, self.before), bits)
        found = BitMap()
        for number, way in enumerate(self._ways):
            own, base = _own(self.now, number, ordinals)
            found |= way.seen_before(own, _own(self.before, number, bits)[0]).shift(base)
        return found

    def still_expected(self, bits: BitMap) -> int:
        """Return how many of the keys in ``bits``, which the earlier plan numbered, this one expects."""
        if not bits or self._is_same:
            return len(bits)
        if not self._is_by_block:
            return sum(int(np.count_nonzero(to >= 0)) for _, to in self._by_key(bits, self.before, self.now))
        return sum(
            way.still_expected(_own(self.before, number, bits)[0]) for number, way in enumerate(self._ways)
        )

    @cached_property
    def _is_laid_out_alike(self) -> bool:
        """Tell whether both have the same patterns over axes of the same names."""
        return len(self.before.blocks) == len(self.now.blocks) and all(
            one.pattern.spec.text == other.pattern.spec.text
            and [axis.fields for axis in one.axes] == [axis.fields for axis in other.axes]
            for one, other in zip(self.before.blocks, self.now.blocks, strict=True)
        )

    @cached_property
    def _is_same(self) -> bool:
        """Tell whether an ordinal means the same key in both."""
        return (
            self._is_laid_out_alike
            and self.before.bases[:-1].tolist() == self.now.bases[:-1].tolist()
            and self.before.shadowed == self.now.shadowed
            and all(way.is_same for way in self._ways)
        )

    @cached_property
    def _is_by_block(self) -> bool:
        """Tell whether a key stays with its pattern: none takes keys from another."""
        return self._is_laid_out_alike and not self.before.shadowed and not self.now.shadowed

    @cached_property
    def _ways(self) -> list[_Way]:
        return [_Way(one, other) for one, other in zip(self.before.blocks, self.now.blocks, strict=True)]

    @staticmethod
    def _by_key(ordinals: BitMap, here: Domain, there: Domain) -> Iterator[tuple[Ordinals, Ordinals]]:
        for part in _parts(ordinals, _ROWS):
            yield part, there.encode(here.decode(part))


@dataclass(eq=False)
class _Way:
    """The same between one pattern's keys then and now."""

    before: Block
    now: Block

    def seen_before(self, ordinals: BitMap, bits: BitMap) -> BitMap:
        if not ordinals or not bits or self.is_same:
            return ordinals & bits
        back = [self._back(number) for number in range(len(self.now.axes))]
        pairs = ((part, _crossed(self.now, self.before, back, part)) for part in _parts(ordinals, CHUNK))
        return _matched(pairs, bits)

    def still_expected(self, bits: BitMap) -> int:
        if not bits or self.is_same:
            return len(bits)
        if not self._spans_only_grew:
            parts = (_crossed(self.before, self.now, self._places, part) for part in _parts(bits, CHUNK))
            return sum(int(np.count_nonzero(to >= 0)) for to in parts)
        dropped = BitMap()
        for axis, places in enumerate(self._places):
            if places is not None and (places < 0).any():
                dropped |= self.before.where(axis, places < 0)
        return len(bits - dropped)

    @cached_property
    def is_same(self) -> bool:
        """Tell whether an ordinal means the same in both: the highest axis alone may have grown."""
        if any(places is not None for places in self._places):
            return False
        one, other = self.before.pattern.spans, self.now.pattern.spans
        if one is not None or other is not None:
            return (
                one is not None
                and other is not None
                and np.array_equal(one.first, other.first)
                and np.array_equal(one.count, other.count)
                and self.before.size == self.now.size
            )
        return [axis.size for axis in self.before.axes[1:]] == [axis.size for axis in self.now.axes[1:]]

    @cached_property
    def _places(self) -> list[Codes | None]:
        """Return today's index of each earlier index, by axis: -1 for none, None where all stay the same."""
        return [_places(self.before, self.now, number) for number in range(len(self.before.axes))]

    def _back(self, number: int) -> Codes:
        """Return the earlier index of each of today's indices of one axis, -1 for none."""
        places = self._places[number]
        every = np.arange(self.before.axes[number].size, dtype=np.int64)
        places = every if places is None else places
        back = np.full(self.now.axes[number].size, -1, dtype=np.int64)
        back[places[places >= 0]] = every[places >= 0]
        return back

    @property
    def _spans_only_grew(self) -> bool:
        """Tell whether every row lives through all the steps that it lived through before."""
        one, other = self.before.pattern.spans, self.now.pattern.spans
        if one is None:
            return other is None
        names = [axis.name for axis in self.before.axes]
        rows, steps = self._places[names.index(one.rows)], self._places[names.index(one.steps)]
        if other is None or steps is not None:
            return False
        places = np.arange(len(one.first)) if rows is None else rows
        known = places >= 0
        first, count = other.first[places[known]], other.count[places[known]]
        ends = one.first[known] + one.count[known]
        return bool(((first <= one.first[known]) & (first + count >= ends)).all())


def _own(domain: Domain, number: int, ordinals: BitMap) -> tuple[BitMap, int]:
    """Return the ordinals of one block, from 0 on, and where the block begins."""
    start, end = int(domain.bases[number]), int(domain.bases[number + 1])
    if len(domain.blocks) == 1:
        return ordinals, 0
    return (ordinals & BitMap(range(start, end))).shift(-start), start


def _crossed(here: Block, there: Block, places: Sequence[Codes | None], ordinals: Ordinals) -> Ordinals:
    """Return the ordinal in ``there`` of each ordinal in ``here``, -1 where it has none."""
    fits = np.ones(len(ordinals), dtype=np.bool_)
    indices = []
    for number, place in enumerate(places):
        index = here.index(ordinals, number)
        if place is not None:
            index = place[index]
            fits &= index >= 0
        indices.append(index)
    return there.ordinals(indices, fits)


def _matched(pairs: Iterator[tuple[Ordinals, Ordinals]], bits: BitMap) -> BitMap:
    """Return the first of each pair of ordinals whose second is in ``bits``."""
    found = BitMap()
    for here, there in pairs:
        hits = ordinals_of(bitmap(there[there >= 0]) & bits)
        found |= bitmap(here[np.isin(there, hits)])
    return found


def _places(before: Block, now: Block, number: int) -> Codes | None:
    earlier, today = (pl.DataFrame(texts(block, number)) for block in (before, now))
    if earlier.height <= today.height and earlier.equals(today.head(earlier.height)):
        return None
    joined = earlier.join(
        today.with_row_index("place"), on=earlier.columns, how="left", maintain_order="left", nulls_equal=True
    )
    places: Codes = joined["place"].cast(pl.Int64).fill_null(-1).to_numpy()
    return places


def _parts(ordinals: BitMap, rows: int) -> Iterator[Ordinals]:
    every = ordinals_of(ordinals)
    for start in range(0, len(every), rows):
        yield every[start : start + rows]
