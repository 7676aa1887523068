"""The shards of one plan in key order: which one a key falls into, and which may hold keys of a prefix."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.shards import interval, successor
from recon.model import Shard

Numbers = NDArray[np.int64]


class Tiling:
    """Finds shards by their place in ``shards``, whose ranges do not overlap."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Lay the ranges of all shards side by side."""
        parts = [(*interval(span), number) for number, shard in enumerate(shards) for span in shard.ranges]
        parts.sort(key=lambda part: part[0])
        self._lows = [low for low, _, _ in parts]
        self._highs = [high for _, high, _ in parts]
        self._numbers = np.array([number for _, _, number in parts], dtype=np.int64)

    def owners(self, keys: pl.Series) -> Numbers:
        """Return the shard that each of ``keys`` (Binary) falls into; -1 for none."""
        if not self._lows:
            return np.full(len(keys), -1, dtype=np.int64)
        lows, highs = (pl.Series(ends, dtype=pl.Binary) for ends in (self._lows, self._highs))
        nearest = lows.search_sorted(keys, side="right").cast(pl.Int64).to_numpy() - 1
        ends = highs.gather(np.maximum(nearest, 0))
        inside = (nearest >= 0) & (ends.is_null() | (keys < ends).fill_null(value=True)).to_numpy()
        return np.where(inside, self._numbers[nearest], -1)

    def under(self, prefixes: Iterable[bytes]) -> Numbers:
        """Return the shards that may hold keys with one of ``prefixes``, ascending."""
        found: set[int] = set()
        for prefix in prefixes:
            end = successor(prefix)
            first = max(0, bisect_right(self._lows, prefix) - 1)
            last = len(self._lows) if end is None else bisect_left(self._lows, end)
            for place in range(first, last):
                high = self._highs[place]
                if high is None or high > prefix:
                    found.add(int(self._numbers[place]))
        return np.array(sorted(found), dtype=np.int64)
