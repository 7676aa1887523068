"""How to look at keys again, live: one by one, or by a listing that steps from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: From so many wanted keys in one folder on, a listing that steps from one to the next is cheaper: a LIST
#: costs as much as twelve HEADs (https://aws.amazon.com/s3/pricing/), and no more requests than keys.
_DENSE = 12


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Keys of one folder (String, ascending), and the ordinals they stand for."""

    keys: pl.Series
    ordinals: NDArray[np.int64]

    @property
    def dense(self) -> bool:
        """Tell whether listing past the keys is cheaper than asking for each."""
        return len(self.keys) >= _DENSE


def looks(keys: pl.Series, ordinals: NDArray[np.int64]) -> Iterator[Look]:
    """Yield the looks that cover ``keys`` (any order; ``ordinals`` beside them): one for each folder."""
    order = keys.arg_sort().to_numpy()
    keys, ordinals = keys.gather(order), ordinals[order]
    start = 0
    for length in keys.str.extract(r"^(?s)(.*/)").fill_null("").rle().struct.field("len").to_list():
        yield Look(keys.slice(start, length), ordinals[start : start + length])
        start += length


def just_before(key: bytes) -> bytes:
    """Return a text below ``key`` from which a listing reaches it soon: few texts lie between the two."""
    return key[:-1]
