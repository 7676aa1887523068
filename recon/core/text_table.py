"""A fixed set of texts and the code of each: find the codes of a whole column at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recon.core.arrow import integers

Codes = NDArray[np.int64]

#: Above this many texts, building a hash table per lookup costs more than searching sorted hashes.
_LARGE = 20_000
#: The widest run of digits that fits an int64.
_MAX_DIGITS = 18


@dataclass(frozen=True, eq=False)
class DigitTable:
    """Texts that are all ``width`` decimal digits: a dense array from number to code."""

    width: int
    lowest: int
    codes: NDArray[np.int32]

    @staticmethod
    def of(texts: pl.Series) -> DigitTable | None:
        """Return the table of distinct texts, or None unless they are digits of one width, fairly dense."""
        width = int(texts.str.len_bytes()[0]) if len(texts) else 0
        if not 0 < width <= _MAX_DIGITS or not texts.str.contains(f"^[0-9]{{{width}}}$").all():
            return None
        numbers = texts.str.to_integer().to_numpy()
        lowest = int(numbers.min())
        extent = int(numbers.max()) - lowest + 1
        if extent > 8 * len(texts) + 1_000_000:
            return None
        codes = np.full(extent, -1, dtype=np.int32)
        codes[numbers - lowest] = np.arange(len(texts), dtype=np.int32)
        return DigitTable(width, lowest, codes)

    def find(self, numbers: NDArray[np.int64]) -> Codes:
        """Return the code of each number, -1 where the table has none."""
        place = numbers - self.lowest
        inside = (place >= 0) & (place < len(self.codes))
        return np.where(inside, self.codes[np.where(inside, place, 0)], -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class HashTable:
    """Texts by their sorted 64-bit hashes; only built where no two hashes are equal."""

    texts: pl.Series
    hashes: NDArray[np.uint64]
    order: Codes

    def find(self, texts: pl.Series) -> Codes:
        """Return the code of each text, -1 where the table has none (texts are compared, not only hashes)."""
        place = np.minimum(np.searchsorted(self.hashes, texts.hash().to_numpy()), len(self.hashes) - 1)
        codes = self.order[place]
        same = (self.texts.gather(codes) == texts).fill_null(value=False).to_numpy()
        return np.where(same, codes, -1)


class TextTable:
    """Distinct texts with codes 0..n-1 in the order given.

    ``find`` is exact: a text that is not in the table has code -1, whatever it hashes to.
    """

    def __init__(self, texts: pl.Series) -> None:
        """Take distinct, non-null texts (String)."""
        self.texts = texts
        self.digits = DigitTable.of(texts)
        self._hashed = _hash_table(texts) if self.digits is None and len(texts) > _LARGE else None

    def __len__(self) -> int:
        return len(self.texts)

    def find(self, texts: pl.Series) -> Codes:
        """Return the code of each text (int64), -1 where the table does not hold it or it is null."""
        if self.digits is not None:
            return self._find_digits(self.digits, texts)
        if self._hashed is not None:
            return self._hashed.find(texts)
        found = pc.index_in(texts.to_arrow(), value_set=self.texts.to_arrow())
        return pl.Series(found).fill_null(-1).cast(pl.Int64).to_numpy()

    @staticmethod
    def _find_digits(digits: DigitTable, texts: pl.Series) -> Codes:
        plausible = (texts.str.len_bytes() == digits.width) & ~texts.str.starts_with("+")
        numbers = texts.str.to_integer(strict=False).fill_null(-1).to_numpy()
        return np.where(plausible.fill_null(value=False).to_numpy(), digits.find(numbers), -1)


def factorised(texts: pl.Series) -> tuple[pl.Series, Codes]:
    """Return the distinct texts, in order of appearance, and each row's index into them."""
    encoded = pc.dictionary_encode(texts.to_arrow())
    if not isinstance(encoded, pa.DictionaryArray):
        raise TypeError(type(encoded))
    return pl.Series("text", encoded.dictionary), integers(encoded.indices)


def _hash_table(texts: pl.Series) -> HashTable | None:
    hashes = texts.hash().to_numpy()
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    if (ranked[1:] == ranked[:-1]).any():
        return None
    return HashTable(texts, ranked, order.astype(np.int64))
