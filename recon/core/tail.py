"""Read a numeric last segment (``part-0012345.json``) straight from the bytes of a column of keys.

Most large data types end in a fixed-width number. Reading it eight bytes at a time, and the directory once
per distinct directory, is several times cheaper than splitting every key. The digit arithmetic is the
well-known SIMD-within-a-register decimal parse (eight ASCII digits in three multiplications).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recon.core.axis import Axis
from recon.core.key_column import WORD, KeyTails, Mask, Numbers, Words, last_bytes
from recon.core.pattern import Placeholder
from recon.core.segment import Segment
from recon.core.text_table import DigitTable

_ZEROS = np.uint64(0x3030303030303030)
_HIGH_BITS = np.uint64(0x8080808080808080)
_OVER_NINE = np.uint64(0x4646464646464646)
_PAIRS = np.uint64(0x000000FF000000FF)
_MUL_HIGH = np.uint64(0x000F424000000064)
_MUL_LOW = np.uint64(0x0000271000000001)


@dataclass(frozen=True, eq=False)
class Tail:
    """A last segment that is ``before`` + digits + ``after`` and decides the index of ``axis`` alone.

    ``before`` includes the slash, where the key has other segments. ``index_of_number`` is the axis' index
    of each number from ``lowest`` on, -1 where there is none.
    """

    axis: int
    width: int
    lowest: int
    index_of_number: NDArray[np.int32]
    before: bytes
    after: bytes
    alone: bool

    @property
    def size(self) -> int:
        """Return the length of the segment and its slash, in bytes."""
        return len(self.before) + self.width + len(self.after)

    @property
    def chars(self) -> int:
        """Return the length of the segment and its slash, in characters."""
        return len(self.before.decode()) + self.width + len(self.after.decode())

    def find(self, keys: KeyTails) -> Numbers:
        """Return the axis' index of each key; -1 where the last segment does not fit.

        Every key's end is at least ``size`` and two words into the column.
        """
        fits = keys.ends_with(self.after, 0)
        fits &= keys.ends_with(self.before, len(self.after) + self.width)
        fits &= (keys.lengths == self.size) if self.alone else (keys.lengths >= self.size)
        numbers, good = _number(keys, len(self.after), self.width)
        place = numbers - self.lowest
        # As unsigned, a number below the lowest is above every other.
        inside = place.view(np.uint64) < len(self.index_of_number)
        index = self.index_of_number[np.where(inside, place, 0)]
        return np.where(fits & good & inside, index, np.int32(-1)).astype(np.int64)


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
    if digits is None or digits.width > 2 * WORD:
        return None
    index_of_code = np.empty(len(reading.code_of_index) + 1, dtype=np.int32)
    index_of_code[reading.code_of_index] = np.arange(len(reading.code_of_index))
    index_of_code[-1] = -1  # what the code -1 finds
    alone = len(segments) == 1
    return Tail(
        axis=reading.axis,
        width=digits.width,
        lowest=digits.lowest,
        index_of_number=index_of_code[digits.codes],
        before=(before if alone else f"/{before}").encode(),
        after=after.encode(),
        alone=alone,
    )


def _number(keys: KeyTails, distance: int, width: int) -> tuple[Numbers, Mask]:
    numbers, good = _eight_digits(keys.word(distance), min(width, WORD))
    if width > WORD:
        high, fine = _eight_digits(keys.word(distance + WORD), width - WORD)
        numbers += high * 10**WORD
        good &= fine
    return numbers, good


def _eight_digits(word: Words, width: int) -> tuple[Numbers, Mask]:
    if width < WORD:
        keep = last_bytes(width)
        word = (word & keep) | (_ZEROS & ~keep)
    digits = word - _ZEROS
    good = (((word + _OVER_NINE) | digits) & _HIGH_BITS) == 0
    pairs = digits * np.uint64(10)
    digits >>= np.uint64(8)
    pairs += digits
    value = pairs & _PAIRS
    value *= _MUL_HIGH
    pairs >>= np.uint64(16)
    pairs &= _PAIRS
    pairs *= _MUL_LOW
    value += pairs
    value >>= np.uint64(32)
    return value.view(np.int64), good
