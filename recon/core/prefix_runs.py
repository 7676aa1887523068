"""The rows of a batch that patterns could claim by their literal prefixes, as runs of rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.key_column import KeyColumn

#: How many rows stand before each cut; as many rows as there are, last.
Positions = NDArray[np.int64]
_LAST_LETTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class PrefixRuns:
    """Cuts batches where some prefix begins or ends (in the order of bytes, which is that of letters)."""

    def __init__(self, prefixes: Iterable[Iterable[str]]) -> None:
        """Take the literal prefixes of each claimant, by its number."""
        spans = [[(prefix, _after(prefix)) for prefix in sorted(set(own))] for own in prefixes]
        cuts = sorted({cut for own in spans for span in own for cut in span if cut is not None})
        self._cuts = pl.Series(cuts, dtype=pl.String)
        places: dict[str | None, int] = {None: len(cuts), **{cut: place for place, cut in enumerate(cuts)}}
        self._spans = [[(places[low], places[high]) for low, high in own] for own in spans]

    def positions(self, keys: KeyColumn) -> Positions:
        """Return the positions of ascending keys."""
        found = keys.series.search_sorted(self._cuts, side="left").to_numpy()
        return np.append(found, len(keys)).astype(np.int64)

    def grouped(self, keys: KeyColumn) -> tuple[NDArray[np.int64] | None, Positions]:
        """Return an order of keys in which those between two cuts stand together, and the positions then.

        None is the order of keys that already do. It costs a quarter of sorting them: 0.11 against 0.45 CPU s
        for 1 M keys of 50 prefixes.
        """
        place = self._cuts.search_sorted(keys.series, side="right").to_numpy()
        if (place[1:] >= place[:-1]).all():
            return None, np.searchsorted(place, np.arange(len(self._cuts) + 1), side="right")
        order = np.argsort(place.astype(np.min_scalar_type(len(self._cuts))), kind="stable")
        return order, np.cumsum(np.bincount(place, minlength=len(self._cuts) + 1))

    def everywhere(self, rows: int) -> Positions:
        """Return positions by which every claimant's run is all rows: for where cutting is not worth it."""
        return np.append(0, np.full(len(self._cuts), rows))

    def of(self, number: int, positions: Positions) -> list[slice]:
        """Return the runs of rows that start with a prefix of claimant ``number``: ascending, apart."""
        runs: list[slice] = []
        for first, end in self._spans[number]:
            low, high = int(positions[first]), int(positions[end])
            if low < high and runs and low <= runs[-1].stop:
                runs[-1] = slice(runs[-1].start, max(runs[-1].stop, high))
            elif low < high:
                runs.append(slice(low, high))
        return runs


def _after(prefix: str) -> str | None:
    """Return the least text above every text that starts with ``prefix``; None if there is none."""
    for place in range(len(prefix) - 1, -1, -1):
        letter = ord(prefix[place]) + 1
        if letter <= _LAST_LETTER:
            return prefix[:place] + chr(_SURROGATES.stop if letter in _SURROGATES else letter)
    return None
