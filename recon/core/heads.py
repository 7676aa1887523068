"""The directories that keys lie in: which are known, and which of them each key of a column has.

A hash table over the directories' words (open addressing, linear probing); a hit is compared byte for byte,
so a hash can slow a look-up and never decide it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.key_column import WORD, KeyColumn, KeyTails, Mask, Numbers, Words, last_bytes
from recon.core.segment import Reading

#: A directory longer than an S3 key is looked up by no table.
HEAD_BYTES_MAX = 1_024
#: An odd multiplier with bits all over (2^64 divided by the golden ratio).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
#: Slots per directory, so that most look-ups end at the first.
_SLOTS_EACH = 8
_MASKS: Words = np.array([last_bytes(count) for count in range(WORD + 1)], dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class HeadTable:
    """Distinct directories, without the last slash, and their codes 0..n-1.

    There is at least one; none is longer than ``HEAD_BYTES_MAX``.
    """

    texts: pl.Series
    _lengths: Numbers
    _words: list[Words]
    _slots: NDArray[np.int32]

    @staticmethod
    def of(texts: pl.Series) -> HeadTable:
        """Return the table of distinct texts."""
        keys = KeyColumn.of(texts).tails(HEAD_BYTES_MAX + WORD)
        count = -(-int(keys.lengths.max(initial=0)) // WORD)
        lengths, words = keys.lengths, _words(keys, 0, count)
        slots = np.full(1 << (max(len(texts), 1) * _SLOTS_EACH - 1).bit_length(), -1, dtype=np.int32)
        place = _first_slots(lengths, words, len(slots))
        waiting = np.arange(len(texts), dtype=np.int32)
        while len(waiting):
            # Of several that want one free slot, the last one written has it.
            free = waiting[slots[place[waiting]] < 0]
            slots[place[free]] = free
            waiting = waiting[slots[place[waiting]] != waiting]
            place[waiting] = (place[waiting] + 1) & (len(slots) - 1)
        return HeadTable(texts, lengths, words, slots)

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, keys: KeyTails, distance: int) -> Numbers:
        """Return the code of the directory ``distance`` bytes before each key's end; -1: unknown."""
        lengths = keys.lengths - distance
        words = _words(keys, distance, len(self._words))
        place = _first_slots(lengths, words, len(self._slots))
        codes = self._slots[place].astype(np.int64)
        same = self._same(codes, lengths, words)
        waiting = np.flatnonzero((codes >= 0) & ~same)
        while len(waiting):
            place[waiting] = (place[waiting] + 1) & (len(self._slots) - 1)
            codes[waiting] = self._slots[place[waiting]]
            same[waiting] = self._same(codes[waiting], lengths[waiting], [word[waiting] for word in words])
            waiting = waiting[(codes[waiting] >= 0) & ~same[waiting]]
        return np.where(same, codes, -1)

    def _same(self, codes: Numbers, lengths: Numbers, words: list[Words]) -> Mask:
        same: Mask = (codes >= 0) & (self._lengths[codes] == lengths)
        for own, word in zip(self._words, words, strict=True):
            same &= own[codes] == word
        return same


@dataclass(frozen=True, eq=False)
class Heads:
    """Directories with what each says: whether it fits the pattern, and its index on every axis.

    ``said_of_tail`` is what directories say of the axis that the last segment decides.
    """

    table: HeadTable
    fits: Mask
    indices: list[Numbers]
    said_of_tail: list[tuple[Reading, Numbers]]

    def joined(self, other: Heads) -> Heads:
        """Return both; ``other`` holds none of the same."""
        said = [
            (item, np.concatenate([codes, more]))
            for (item, codes), (_, more) in zip(self.said_of_tail, other.said_of_tail, strict=True)
        ]
        return Heads(
            HeadTable.of(pl.concat([self.table.texts, other.table.texts])),
            np.concatenate([self.fits, other.fits]),
            [np.concatenate(pair) for pair in zip(self.indices, other.indices, strict=True)],
            said,
        )


def _words(keys: KeyTails, distance: int, count: int) -> list[Words]:
    """Return the last ``count`` words of the directories, without the bytes before them."""
    words = []
    for back in range(0, count * WORD, WORD):
        if keys.width is not None:
            own: Words | np.uint64 = last_bytes(min(max(keys.width - distance - back, 0), WORD))
        else:
            own = _MASKS[np.clip(keys.lengths - (distance + back), 0, WORD)]
        words.append(keys.word(distance + back) & own)
    return words


def _first_slots(lengths: Numbers, words: list[Words], slots: int) -> Numbers:
    mixed = lengths.astype(np.uint64)
    for word in words:
        mixed ^= word
        mixed *= _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
    mixed *= _MULTIPLIER
    mixed >>= np.uint64(65 - slots.bit_length())
    return mixed.view(np.int64)
