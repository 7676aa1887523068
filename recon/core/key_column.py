"""A column of keys: as text for whole-column operations, and as bytes, read eight at a time from the ends."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recon.core.arrow import arrow_flags, flags, one_chunk

Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

#: Bytes in a word.
WORD = 8
#: Rows read at once: a word of each is 256 KiB, so that some columns of words stay in the processor's cache.
_RUN_ROWS = 1 << 15
#: Bytes of each key's end that are gathered at once: most keys' last segment and directories fit.
_GATHERED = 56


class KeyColumn:
    """Keys without nulls. The bytes lie where Arrow has them; nothing is copied until text is asked for."""

    def __init__(self, texts: pa.Array[Any], *, mended: bool = False) -> None:
        """Take an Arrow column of large strings; ``mended`` tells that some were no UTF-8 as they came."""
        self.texts = texts
        #: Mended keys no longer stand in the order that they came in.
        self.mended = mended
        _, offsets, data = texts.buffers()
        if offsets is None or data is None:
            offsets, data = pa.py_buffer(bytes(8 * (len(texts) + 1))), pa.py_buffer(b"")
        #: n + 1 positions: key i is ``data[offsets[i]:offsets[i + 1]]``.
        self.offsets: Numbers = np.frombuffer(memoryview(offsets), dtype=np.int64)[
            texts.offset : texts.offset + len(texts) + 1
        ]
        self._data = memoryview(data)

    @staticmethod
    def of(texts: pl.Series) -> KeyColumn:
        """Return a String column as keys."""
        return KeyColumn(pc.cast(texts.to_arrow(), pa.large_string()))

    @staticmethod
    def read(keys: pa.Array[Any] | pa.ChunkedArray[Any]) -> KeyColumn:
        """Return raw keys; bytes that are no UTF-8 (no pattern can claim them) become U+FFFD."""
        whole = one_chunk(keys)
        try:
            return KeyColumn(pc.cast(whole, pa.large_string()))
        except pa.ArrowInvalid:
            texts = [(key or b"").decode(errors="replace") for key in whole.to_pylist()]
            return KeyColumn(
                pc.cast(pl.Series(texts, dtype=pl.String).to_arrow(), pa.large_string()), mended=True
            )

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def series(self) -> pl.Series:
        """The keys as a polars column (String)."""
        return pl.Series("key", self.texts)

    def part(self, rows: slice) -> KeyColumn:
        """Return the keys of a run of rows."""
        return KeyColumn(self.texts.slice(rows.start, rows.stop - rows.start))

    def where(self, rows: Mask) -> KeyColumn:
        """Return the keys of the rows that are set."""
        return KeyColumn(self.texts.filter(arrow_flags(rows)), mended=self.mended)

    def take(self, order: Numbers) -> KeyColumn:
        """Return the keys of the rows ``order``."""
        return KeyColumn(self.texts.take(pl.Series(order).to_arrow()))

    def starts_with(self, prefix: str) -> Mask:
        """Tell which keys start with ``prefix``."""
        return flags(pc.starts_with(self.texts, prefix))

    def tails(self, reach: int) -> KeyTails:
        """Return all keys, copied so that ``reach`` bytes before any end can be read."""
        low, high = int(self.offsets[0]), int(self.offsets[-1])
        offsets = self.offsets - low + reach
        return KeyTails(memoryview(bytes(reach) + self._data[low:high]), offsets[:-1], offsets[1:])

    def runs(self, reach: int) -> Iterator[tuple[slice, KeyTails]]:
        """Yield runs of rows that fit the processor's cache, readable ``reach`` bytes before any end."""
        early = int(np.searchsorted(self.offsets[1:], reach))
        if early:
            yield slice(0, early), self.part(slice(0, early)).tails(reach)
        for low in range(early, len(self), _RUN_ROWS):
            rows = slice(low, min(low + _RUN_ROWS, len(self)))
            yield rows, KeyTails(self._data, self.offsets[rows], self.offsets[low + 1 : rows.stop + 1])


class KeyTails:
    """Some keys' bytes, read in words at fixed distances before each key's end.

    Words that lie at even distances are a strided view, ten times cheaper to read than words gathered from
    anywhere. Keys of one length lie so where Arrow has them; of others the ends are gathered, side by side.
    """

    def __init__(self, data: memoryview, starts: Numbers, ends: Numbers) -> None:
        """Take keys ``data[start:end]`` that follow each other."""
        self._data = data
        self._ends = ends
        self._rows = len(ends)
        self.lengths: Numbers = ends - starts
        #: The length of all keys, or None where they differ.
        is_even = bool((self.lengths == self.lengths[:1]).all())
        self.width = int(self.lengths[0]) if self._rows and is_even else None
        #: The last bytes of every key, side by side, and how many of each.
        self._gathered: NDArray[np.void] | None = None
        self._reach = 0

    def word(self, distance: int) -> Words:
        """Return the eight bytes that end ``distance`` bytes before each key's end, the last byte highest."""
        back = distance + WORD
        if not self._rows:
            return np.empty(0, np.uint64)
        if self.width is not None:
            first = int(self._ends[0]) - back
            return np.ndarray((self._rows,), "<u8", self._data, first, (self.width,))
        if self._gathered is None or self._reach < back:
            self._gathered, self._reach = self._ends_of(back)
        return np.ndarray((self._rows,), "<u8", self._gathered, self._reach - back, (self._reach,))

    def _ends_of(self, back: int) -> tuple[NDArray[np.void], int]:
        """Return at least the last ``back`` bytes of every key, and how many they are."""
        reach = max(back, min(max(_GATHERED, 2 * self._reach), int(self._ends[0])))
        items = len(self._data) - reach + 1
        ends: NDArray[np.void] = np.ndarray((items,), f"V{reach}", self._data, 0, (1,))
        return ends[self._ends - reach], reach

    def ends_with(self, literal: bytes, distance: int) -> Mask:
        """Tell which keys have ``literal`` right before the last ``distance`` bytes."""
        fits = np.ones(self._rows, dtype=np.bool_)
        for high in range(len(literal), 0, -WORD):
            chunk = literal[max(high - WORD, 0) : high]
            wanted = np.uint64(int.from_bytes(chunk.rjust(WORD, b"\0"), "little"))
            fits &= (self.word(distance + len(literal) - high) & last_bytes(len(chunk))) == wanted
        return fits


def last_bytes(count: int) -> np.uint64:
    """Return the mask of the last ``count`` (0..8) bytes of a word."""
    return np.uint64((1 << 64) - (1 << (8 * (WORD - count))))
