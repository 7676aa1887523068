"""One pattern's keys as ordinals: encode a column of keys, decode ordinals, find ordinals by an axis."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.bound import BoundPattern
from recon.core.heads import HEAD_BYTES_MAX, Heads, HeadTable
from recon.core.key_column import WORD, KeyColumn, KeyTails
from recon.core.segment import Mask, Reading, Segment
from recon.core.tail import Tail, tail_of
from recon.core.text_table import Codes
from recon.errors import ConfigError

Ordinals = NDArray[np.int64]
#: What one reading says of each row.
Said = tuple[Reading, Codes]

#: Directories remembered from one run of keys to the next, and how many keys must share one to be worth it.
_HEADS_MAX = 16_384
_KEYS_EACH = 4
#: Ordinals expanded at once when a set is built from an axis: bounds memory at tens of MB.
CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Digit:
    """One place of the mixed radix: an axis, or a catalog's rows with the steps inside their life spans."""

    axes: tuple[int, ...]
    size: int
    stride: int
    is_highest: bool

    def of(self, ordinals: Ordinals) -> Codes:
        """Return the digit's value of each ordinal."""
        value = ordinals // self.stride if self.stride > 1 else ordinals
        return value if self.is_highest else value % self.size


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


class Block:
    """The expected keys of one pattern as ordinals ``0..size-1``, mixed radix over its axes.

    A pattern with wildcards enumerates only its axes: many keys then share one ordinal.
    """

    def __init__(self, pattern: BoundPattern) -> None:
        """Prepare the matcher; raise ``ConfigError`` where keys could not be told apart."""
        self.pattern = pattern
        self.axes = pattern.axes
        where = pattern.spec.where
        self.literal_prefix = pattern.template.literal_prefix.encode()
        self.segments = [Segment(parts, self.axes, where) for parts in pattern.template.segments]
        by_axis: dict[int, list[Reading]] = {}
        for segment in self.segments:
            for item in segment.readings:
                by_axis.setdefault(item.axis, []).append(item)
        self._finders = {
            number: AxisFinder(items, self.axes[number].size, where) for number, items in by_axis.items()
        }
        self.digits, self.size = self._layout()
        self.tail = tail_of(self.segments, self.axes)
        if self.tail is not None and not self.tail.alone:
            self._heads = self._heads_of(self.tail, pl.Series([""]))

    # -- keys to ordinals -----------------------------------------------------------------------------

    def encode(self, keys: KeyColumn) -> Ordinals:
        """Return the ordinal of each key, -1 where the pattern does not claim it."""
        if self.tail is None:
            return self._encode_by_segments(keys.series)
        ordinals = np.empty(len(keys), dtype=np.int64)
        for rows, tails in keys.runs(self.tail.size + HEAD_BYTES_MAX + 2 * WORD):
            ordinals[rows] = self._encode_run(self.tail, keys, rows, tails)
        return ordinals

    def _encode_run(self, tail: Tail, keys: KeyColumn, rows: slice, tails: KeyTails) -> Ordinals:
        index = tail.find(tails)
        if tail.alone:
            return self.ordinals([index], index >= 0)
        heads = self._heads
        places = heads.table.find(tails, tail.size)
        strange = (places < 0) & (index >= 0)
        if strange.any():
            heads = self._learned(heads, tail, keys.part(rows).where(strange).series)
            places = heads.table.find(tails, tail.size)
        ordinals = self._joined(heads, places, tail, index)
        beyond = strange & (places < 0)
        if beyond.any():
            ordinals[beyond] = self._encode_by_segments(keys.part(rows).where(beyond).series)
        return ordinals

    def _joined(self, heads: Heads, places: Codes, tail: Tail, index: Codes) -> Ordinals:
        """Return the ordinals of rows from their directories' codes and their tails' indices."""
        fits = heads.fits[places] & (places >= 0) & (index >= 0)
        for item, codes in heads.said_of_tail:
            fits &= item.code_of_index[index] == codes[places]
        indices = [found[places] for found in heads.indices]
        indices[tail.axis] = index
        return self.ordinals(indices, fits)

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

    def _encode_by_segments(self, keys: pl.Series) -> Ordinals:
        fits, codes = self._codes(self.segments, keys)
        axes_fit, indices = self._indices(codes, len(keys))
        return self.ordinals(indices, fits & axes_fit)

    def _codes(self, segments: list[Segment], keys: pl.Series) -> tuple[Mask, dict[int, list[Said]]]:
        fits = np.ones(len(keys), dtype=np.bool_)
        codes: dict[int, list[Said]] = {}
        columns = [keys]
        if len(segments) > 1:
            columns = keys.str.splitn("/", len(segments)).struct.unnest().get_columns()
        for segment, column in zip(segments, columns, strict=False):
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

    def ordinals(self, indices: list[Codes], fits: NDArray[np.bool_]) -> Ordinals:
        """Return the ordinals of rows from each axis' indices; -1 where unfit or outside a life span."""
        ordinals = np.zeros(len(fits), dtype=np.int64)
        for digit in self.digits:
            if len(digit.axes) == 1:
                ordinals += indices[digit.axes[0]] * digit.stride
                continue
            rows, place, inside = self._span_place(indices[digit.axes[0]], indices[digit.axes[1]])
            fits = fits & inside
            ordinals += (self._offsets[rows] + place) * digit.stride
        return np.where(fits, ordinals, -1)

    # -- ordinals to keys -----------------------------------------------------------------------------

    def index(self, ordinals: Ordinals, axis: int) -> Codes:
        """Return the index on ``axis`` (a number into ``axes``) of each ordinal."""
        for digit in self.digits:
            if axis not in digit.axes:
                continue
            value = digit.of(ordinals)
            if len(digit.axes) == 1:
                return value
            rows: Codes = np.searchsorted(self._offsets, value, side="right") - 1
            if axis == digit.axes[0]:
                return rows
            steps: Codes = self._spans_first[rows] + value - self._offsets[rows]
            return steps
        raise IndexError(axis)

    def decode(self, ordinals: Ordinals, *, stop_at_wildcard: bool = False) -> pl.Series:
        """Return the keys of ordinals (String).

        With ``stop_at_wildcard``, return the text before the first wildcard: the narrowest prefix under
        which all objects of that combination lie.
        """
        wanted: dict[int, Codes] = {}
        columns: list[pl.Expr] = []
        owners = {name: number for number, axis in enumerate(self.axes) for name in axis.fields}
        for position, part in enumerate(self.pattern.template.parts):
            if isinstance(part, str):
                columns.append(pl.lit(part).alias(str(position)))
                continue
            number = owners.get(part.name)
            if number is None:
                if stop_at_wildcard:
                    break
                raise ValueError(f"{{{part.name}}} is a wildcard: its keys cannot be enumerated")
            if number not in wanted:
                wanted[number] = self.index(ordinals, number)
            texts = self.axes[number].texts(part.name, part.spec).gather(wanted[number])
            columns.append(pl.lit(texts.alias(str(position))))
        if not columns:
            return pl.repeat("", len(ordinals), dtype=pl.String, eager=True)
        frame = pl.select(pl.int_range(len(ordinals)).alias("row"))
        return (
            frame.select(pl.concat_str(columns)).to_series()
            if wanted
            else self._repeat(columns, len(ordinals))
        )

    @staticmethod
    def _repeat(columns: list[pl.Expr], times: int) -> pl.Series:
        text = pl.select(pl.concat_str(columns)).to_series()
        return text.new_from_index(0, times)

    def where(self, axis: int, mask: Mask) -> BitMap:
        """Return the ordinals whose index on ``axis`` has ``mask`` set."""
        if mask.all():
            return BitMap(range(self.size))
        digit = next(digit for digit in self.digits if axis in digit.axes)
        values = np.flatnonzero(mask)
        if len(digit.axes) > 1:
            places = np.arange(digit.size, dtype=np.int64)
            values = places[mask[self.index(places * digit.stride, axis)]]
        found = BitMap()
        rounds = self.size // (digit.size * digit.stride)
        for outer in range(rounds):
            starts = (outer * digit.size + values) * digit.stride
            for low in range(0, len(starts), max(CHUNK // digit.stride, 1)):
                part = starts[low : low + max(CHUNK // digit.stride, 1)]
                found |= bitmap((part[:, None] + np.arange(digit.stride)).ravel())
        return found

    def spread(self, axis: int, values: NDArray[Any]) -> tuple[int, NDArray[Any]]:
        """Return the place of the digit that holds ``axis``, and ``values`` (per index) per digit value."""
        for place, digit in enumerate(self.digits):
            if axis in digit.axes:
                if len(digit.axes) == 1:
                    return place, values
                return place, values[self.index(np.arange(digit.size, dtype=np.int64) * digit.stride, axis)]
        raise IndexError(axis)

    # -- layout ---------------------------------------------------------------------------------------

    def _layout(self) -> tuple[tuple[Digit, ...], int]:
        groups = list(self._digit_axes())
        size = 1
        digits: list[Digit] = []
        for axes in reversed(groups):
            extent = self.axes[axes[0]].size if len(axes) == 1 else int(self._offsets[-1])
            digits.append(Digit(axes, extent, size, is_highest=axes == groups[0]))
            size *= extent
        return tuple(reversed(digits)), size

    def _digit_axes(self) -> Iterator[tuple[int, ...]]:
        spans = self.pattern.spans
        names = [axis.name for axis in self.axes]
        if spans is None:
            yield from ((number,) for number in range(len(names)))
            return
        rows, steps = names.index(spans.rows), names.index(spans.steps)
        self._spans_first, self._spans_count = spans.first, spans.count
        self._offsets = np.concatenate([[0], np.cumsum(spans.count)])
        yield (rows, steps)
        yield from ((number,) for number in range(len(names)) if number not in {rows, steps})

    def _span_place(self, rows: Codes, steps: Codes) -> tuple[Codes, Codes, NDArray[np.bool_]]:
        rows = np.maximum(rows, 0)
        place = steps - self._spans_first[rows]
        inside = (place >= 0) & (place < self._spans_count[rows])
        return rows, np.where(inside, place, 0), inside


def bitmap(ordinals: Ordinals) -> BitMap:
    """Return ordinals (int64, each below 2^32) as a roaring bitmap."""
    packed = array("I")
    packed.frombytes(np.ascontiguousarray(ordinals, dtype=np.uint32).tobytes())
    return BitMap(packed)


def ordinals_of(bits: BitMap) -> Ordinals:
    """Return a bitmap's ordinals, ascending (int64)."""
    return np.asarray(bits.to_array(), dtype=np.int64) if len(bits) else np.empty(0, dtype=np.int64)
