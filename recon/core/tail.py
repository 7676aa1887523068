"""Read a numeric last segment (``part-0012345.json``) straight from the bytes of a column of keys.

Most large data types end in a fixed-width number. Reading it eight bytes at a time, and the directory once
per distinct directory, is several times cheaper than splitting every key. The digit arithmetic is the
well-known SIMD-within-a-register decimal parse (eight ASCII digits in three multiplications).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis
from recon.core.pattern import Placeholder
from recon.core.segment import Segment
from recon.core.text_table import Codes, DigitTable

Words = NDArray[np.uint64]

_WORD = 8
_ZEROS = np.uint64(0x3030303030303030)
_HIGH_BITS = np.uint64(0x8080808080808080)
_OVER_NINE = np.uint64(0x4646464646464646)
_PAIRS = np.uint64(0x000000FF000000FF)
_MUL_HIGH = np.uint64(0x000F424000000064)
_MUL_LOW = np.uint64(0x0000271000000001)
#: Rows worked on at once: their words stay in the processor's cache.
_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class Tail:
    """A last segment that is ``before`` + digits + ``after`` and decides the index of ``axis`` alone."""

    axis: int
    table: DigitTable
    index_of_code: Codes
    before: bytes
    after: bytes
    alone: bool

    @property
    def chars(self) -> int:
        """Return the length of the whole segment in characters."""
        return len(self.before.decode()) + self.table.width + len(self.after.decode())

    @property
    def reach(self) -> int:
        """Return how many bytes before a key's end may be read, the slash and a word's slack included."""
        return len(self.before) + self.table.width + len(self.after) + 2 * _WORD + 1

    def find(self, data: NDArray[np.uint8], starts: Codes, ends: Codes) -> Codes:
        """Return the axis' index of each key ``data[start:end]``; -1 where the last segment does not fit.

        Every ``end`` is at least ``reach`` bytes into ``data``.
        """
        words = np.ndarray((len(data) - _WORD + 1,), dtype="<u8", buffer=data, strides=(1,))
        found = np.empty(len(ends), dtype=np.int64)
        for low in range(0, len(ends), _ROWS):
            part = slice(low, low + _ROWS)
            found[part] = self._find(data, words, starts[part], ends[part])
        return found

    def _find(self, data: NDArray[np.uint8], words: Words, starts: Codes, ends: Codes) -> Codes:
        digits_end = ends - len(self.after)
        digits_start = digits_end - self.table.width
        first = digits_start - len(self.before)
        fits = _literal_ends_at(words, ends, self.after)
        fits &= _literal_ends_at(words, digits_start, self.before)
        fits &= (first == starts) if self.alone else (first > starts) & (data[first - 1] == ord("/"))
        numbers, good = _number(words, digits_end, self.table.width)
        codes = self.table.find(numbers)
        index = self.index_of_code[np.maximum(codes, 0)]
        return np.where(fits & good & (codes >= 0), index, -1)


def tail_of(segments: Sequence[Segment], axes: Sequence[Axis]) -> Tail | None:
    """Return how to read the last segment as a number, or None where it is not one fixed-width number."""
    last = segments[-1]
    fields = [place for place, part in enumerate(last.parts) if isinstance(part, Placeholder)]
    if len(fields) != 1 or len(last.readings) != 1 or len(axes) == 0:
        return None
    reading = last.readings[0]
    field = last.parts[fields[0]]
    before = "".join(str(part) for part in last.parts[: fields[0]])
    after = "".join(str(part) for part in last.parts[fields[0] + 1 :])
    if not reading.decides or not isinstance(field, Placeholder):
        return None
    digits = DigitTable.of(reading.table.texts.str.strip_prefix(before).str.strip_suffix(after))
    if digits is None or digits.width > 2 * _WORD:
        return None
    index_of_code = np.empty(len(reading.code_of_index), dtype=np.int64)
    index_of_code[reading.code_of_index] = np.arange(len(index_of_code))
    return Tail(reading.axis, digits, index_of_code, before.encode(), after.encode(), len(segments) == 1)


def heads_of(keys: pl.Series, tail: Tail) -> tuple[pl.Series, Codes]:
    """Return the distinct directories of keys (without the last slash) and each key's index into them."""
    pool = pl.Categorical(pl.Categories.random())
    encoded = keys.str.head(-(tail.chars + 1)).cast(pool)
    codes = encoded.to_physical().to_numpy().astype(np.int64)
    an_example = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.int64)
    an_example[codes] = np.arange(len(codes))
    return encoded.gather(an_example).cast(pl.String), codes


def _literal_ends_at(words: Words, ends: Codes, literal: bytes) -> NDArray[np.bool_]:
    fits = np.ones(len(ends), dtype=np.bool_)
    for high in range(len(literal), 0, -_WORD):
        chunk = literal[max(high - _WORD, 0) : high]
        mask = np.uint64((1 << 64) - (1 << (8 * (_WORD - len(chunk)))))
        wanted = np.uint64(int.from_bytes(chunk.rjust(_WORD, b"\0"), "little"))
        fits &= (words[ends - (len(literal) - high) - _WORD] & mask) == wanted
    return fits


def _number(words: Words, ends: Codes, width: int) -> tuple[Codes, NDArray[np.bool_]]:
    numbers, good = _eight_digits(words[ends - _WORD], min(width, _WORD))
    if width > _WORD:
        high, fine = _eight_digits(words[ends - 2 * _WORD], width - _WORD)
        numbers = numbers + high * 10**8
        good &= fine
    return numbers, good


def _eight_digits(word: Words, width: int) -> tuple[Codes, NDArray[np.bool_]]:
    if width < _WORD:
        keep = np.uint64((1 << 64) - (1 << (8 * (_WORD - width))))
        word = (word & keep) | (_ZEROS & ~keep)
    digits = word - _ZEROS
    good = (((word + _OVER_NINE) | digits) & _HIGH_BITS) == 0
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    value = ((pairs & _PAIRS) * _MUL_HIGH + ((pairs >> np.uint64(16)) & _PAIRS) * _MUL_LOW) >> np.uint64(32)
    return value.astype(np.int64), good
