"""A growing set of ordinals that stays cheap whether batches are sorted and small or shuffled and large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import CHUNK, Ordinals, bitmap

#: From this many ordinals to a batch, one byte per expected key is cheaper than sorting them.
_DENSE_SHARE = 64


class OrdinalSet:
    """Adds batches of ordinals below ``size``; ``bits`` is the set so far."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self._size = size
        self._bits = BitMap()
        self._dense: NDArray[np.bool_] | None = None

    def add(self, ordinals: Ordinals) -> None:
        """Add ordinals, in any order, repeats allowed."""
        if self._dense is None and len(ordinals) * _DENSE_SHARE > self._size:
            self._dense = np.zeros(self._size, dtype=np.bool_)
        if self._dense is not None:
            self._dense[ordinals] = True
        elif len(ordinals):
            self._bits |= bitmap(ordinals)

    def bits(self) -> BitMap:
        """Return the set as a bitmap."""
        if self._dense is None:
            return self._bits
        found = self._bits
        for start in range(0, self._size, CHUNK):
            found |= _marked(self._dense[start : start + CHUNK], start)
        return found


def _marked(dense: NDArray[np.bool_], start: int) -> BitMap:
    """Return the marked ordinals, from ``start`` on; a set is built from the side that has fewer."""
    if np.count_nonzero(dense) * 2 < len(dense):
        return bitmap(np.flatnonzero(dense) + start)
    return BitMap(range(start, start + len(dense))) - bitmap(np.flatnonzero(~dense) + start)
