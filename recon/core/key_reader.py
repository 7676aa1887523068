"""Read one pattern's keys: which of a column fit, and the index of each on every axis.

Where the last segment is a fixed-width number, directories are looked up in a table that learns them, and
only new ones are read segment by segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from recon.core.bound import BoundPattern
from recon.core.heads import HEAD_BYTES_MAX, Heads, HeadTable
from recon.core.key_column import WORD, KeyColumn, KeyTails
from recon.core.segment import Mask, Reading, Segment
from recon.core.tail import Tail, tail_of
from recon.core.text_table import Codes
from recon.core.ties import tied, ties
from recon.errors import ConfigError

#: What one reading says of each row.
Said = tuple[Reading, Codes]

#: Directories remembered from one run of keys to the next, and how many keys must share one to be worth it.
_HEADS_MAX = 16_384
_KEYS_EACH = 4


@dataclass(frozen=True, slots=True, eq=False)
class ReadKeys:
    """Some rows as read: which fit the pattern, and their index on each axis (anything where unfit)."""

    fits: Mask
    indices: list[Codes]


class AxisFinder:
    """Turns what all segments say of one axis into its index: -1 where they disagree or none fits."""

    def __init__(self, readings: list[Reading], size: int, where: str) -> None:
        """Take every reading of the axis, in the order of the segments."""
        self.readings = readings
        self.size = size
        self.decider = next((place for place, item in enumerate(readings) if item.decides), None)
        if self.decider is not None:
            self._index_of_code = np.empty(size, dtype=np.int64)
            self._index_of_code[readings[self.decider].code_of_index] = np.arange(size)
            return
        joined = np.zeros(size, dtype=np.int64)
        for item in readings:
            joined = joined * len(item.table) + item.code_of_index
        self._order = np.argsort(joined, kind="stable")
        self._joined = joined[self._order]
        if (self._joined[1:] == self._joined[:-1]).any():
            twin = int(self._order[:-1][self._joined[1:] == self._joined[:-1]][0])
            texts = "/".join(str(item.table.texts[int(item.code_of_index[twin])]) for item in readings)
            raise ConfigError(
                f"{where}: two expected objects would have the same key ({texts}). Add a placeholder that "
                "tells them apart, or remove the repeated row or value.",
            )

    def find(self, codes: list[Codes]) -> Codes:
        """Return the index of each row from the codes of all readings; -1 where none fits."""
        fits = np.logical_and.reduce([item >= 0 for item in codes])
        if self.decider is None:
            joined = np.zeros(len(codes[0]), dtype=np.int64)
            for item, found in zip(self.readings, codes, strict=True):
                joined = joined * len(item.table) + np.where(fits, found, 0)
            nearest = np.minimum(np.searchsorted(self._joined, joined), self.size - 1)
            return np.where(fits & (self._joined[nearest] == joined), self._order[nearest], -1)
        index = self._index_of_code[np.where(fits, codes[self.decider], 0)]
        for item, found in zip(self.readings, codes, strict=True):
            fits = fits & (item.code_of_index[index] == found)
        return np.where(fits, index, -1)


class KeyReader:
    """Reads the keys of one pattern. Safe to call from many threads: what is learned is swapped in whole."""

    def __init__(self, pattern: BoundPattern) -> None:
        """Prepare the matcher; raise ``ConfigError`` where keys could not be told apart."""
        where = pattern.spec.where
        self.axes = pattern.axes
        self.segments = [
            Segment(parts, self.axes, where) for parts in tied(pattern.template.segments, ties(pattern))
        ]
        by_axis: dict[int, list[Reading]] = {}
        for segment in self.segments:
            for item in segment.readings:
                by_axis.setdefault(item.axis, []).append(item)
        self._finders = {
            number: AxisFinder(items, self.axes[number].size, where) for number, items in by_axis.items()
        }
        self.tail = tail_of(self.segments, self.axes)
        if self.tail is not None and not self.tail.alone:
            self._heads = self._heads_of(self.tail, pl.Series([""]))

    def read(self, keys: KeyColumn) -> Iterator[tuple[slice, ReadKeys]]:
        """Yield runs of rows as read, until every row was."""
        if self.tail is None:
            yield slice(0, len(keys)), self._read_by_segments(keys.series)
            return
        for rows, tails in keys.runs(self.tail.size + HEAD_BYTES_MAX + 2 * WORD):
            index = self.tail.find(tails)
            if self.tail.alone:
                yield rows, ReadKeys(index >= 0, [index])
            else:
                yield rows, self._read_by_heads(self.tail, index, keys.part(rows), tails)

    def _read_by_heads(self, tail: Tail, index: Codes, keys: KeyColumn, tails: KeyTails) -> ReadKeys:
        heads = self._heads
        places = heads.table.find(tails, tail.size)
        strange = (places < 0) & (index >= 0)
        if strange.any():
            heads = self._learned(heads, tail, keys.where(strange).series)
            places = heads.table.find(tails, tail.size)
        fits = heads.fits[places] & (places >= 0) & (index >= 0)
        for item, codes in heads.said_of_tail:
            fits &= item.code_of_index[index] == codes[places]
        indices = [found[places] for found in heads.indices]
        indices[tail.axis] = index
        beyond = strange & (places < 0)
        if beyond.any():
            read = self._read_by_segments(keys.where(beyond).series)
            fits[beyond] = read.fits
            for found, own in zip(indices, read.indices, strict=True):
                found[beyond] = own
        return ReadKeys(fits, indices)

    def _learned(self, known: Heads, tail: Tail, keys: pl.Series) -> Heads:
        """Return ``known`` with the directories of ``keys``, and keep them for the next run of keys.

        Directories that few keys share are not worth it; their keys are read segment by segment.
        """
        names = keys.str.head(-tail.chars).unique()
        names = names.filter(names.str.len_bytes() <= HEAD_BYTES_MAX)
        if not len(names) or len(names) * _KEYS_EACH > len(keys):
            return known
        new = self._heads_of(tail, names)
        self._heads = heads = known.joined(new) if len(known.table) + len(names) <= _HEADS_MAX else new
        return heads

    def _heads_of(self, tail: Tail, names: pl.Series) -> Heads:
        fits, codes = self._codes(self.segments[:-1], names)
        said_of_tail = codes.pop(tail.axis, [])
        axes_fit, indices = self._indices(codes, len(names))
        return Heads(HeadTable.of(names), fits & axes_fit, indices, said_of_tail)

    def _read_by_segments(self, keys: pl.Series) -> ReadKeys:
        fits, codes = self._codes(self.segments, keys)
        axes_fit, indices = self._indices(codes, len(keys))
        return ReadKeys(fits & axes_fit, indices)

    def _codes(self, segments: list[Segment], keys: pl.Series) -> tuple[Mask, dict[int, list[Said]]]:
        fits = np.ones(len(keys), dtype=np.bool_)
        codes: dict[int, list[Said]] = {}
        for segment, column in zip(segments, _columns(segments, keys), strict=True):
            good, found = segment.find(column)
            fits &= good
            for item, values in zip(segment.readings, found, strict=True):
                codes.setdefault(item.axis, []).append((item, values))
        return fits, codes

    def _indices(self, codes: dict[int, list[Said]], rows: int) -> tuple[Mask, list[Codes]]:
        fits = np.ones(rows, dtype=np.bool_)
        indices = [np.zeros(rows, dtype=np.int64) for _ in self.axes]
        for number, said in codes.items():
            indices[number] = self._finders[number].find([values for _, values in said])
            fits &= indices[number] >= 0
        return fits, indices


def _columns(segments: list[Segment], keys: pl.Series) -> Iterator[pl.Series]:
    """Yield the text of each segment (null where a key has fewer); the last holds all that follows."""
    if len(segments) == 1:
        yield keys
        return
    pieces = keys.str.splitn("/", sum(segment.depth for segment in segments)).struct.unnest().get_columns()
    for segment in segments:
        own, pieces = pieces[: segment.depth], pieces[segment.depth :]
        yield own[0] if len(own) == 1 else pl.select(pl.concat_str(own, separator="/")).to_series()
