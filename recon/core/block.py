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
from recon.core.key_column import KeyColumn
from recon.core.key_reader import KeyReader
from recon.core.segment import Mask
from recon.core.text_table import Codes

Ordinals = NDArray[np.int64]
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


class Block:
    """The expected keys of one pattern as ordinals ``0..size-1``, mixed radix over its axes.

    A pattern with wildcards enumerates only its axes: many keys then share one ordinal.
    """

    def __init__(self, pattern: BoundPattern) -> None:
        """Prepare the matcher; raise ``ConfigError`` where keys could not be told apart."""
        self.pattern = pattern
        self.axes = pattern.axes
        self.literal_prefix = pattern.template.literal_prefix.encode()
        self.reader = KeyReader(pattern)
        self.digits, self.size = self._layout()

    # -- keys to ordinals -----------------------------------------------------------------------------

    def encode(self, keys: KeyColumn) -> Ordinals:
        """Return the ordinal of each key, -1 where the pattern does not claim it."""
        ordinals = np.empty(len(keys), dtype=np.int64)
        for rows, read in self.reader.read(keys):
            ordinals[rows] = self.ordinals(read.indices, read.fits)
        return ordinals

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
        if mask.all() or not self.size:
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
    """Return ordinals (int64, each below 2^32, in any order) as a roaring bitmap."""
    packed = array("I")
    # Sorted first: roaring takes seven times as long to put shuffled ones in their places.
    packed.frombytes(np.sort(np.asarray(ordinals, dtype=np.uint32)).tobytes())
    return BitMap(packed)


def ordinals_of(bits: BitMap) -> Ordinals:
    """Return a bitmap's ordinals, ascending (int64)."""
    return np.asarray(bits.to_array(), dtype=np.int64) if len(bits) else np.empty(0, dtype=np.int64)
