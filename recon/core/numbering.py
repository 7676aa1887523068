"""The ordinals of single keys in one domain, each read once in a cycle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from recon.core.block import Ordinals
from recon.core.domain import Domain


class Numbering:
    """Remembers what it read. Reading one key costs about as much as reading a thousand: ``learn`` first."""

    def __init__(self, domain: Domain) -> None:
        """Know nothing yet of ``domain``."""
        self.domain = domain
        self._known: dict[str, int] = {}

    def learn(self, keys: Iterable[str]) -> None:
        """Read those of ``keys`` that are not known yet, all at once."""
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            ordinals = self.domain.encode(pl.Series(new, dtype=pl.String))
            self._known.update(zip(new, ordinals.tolist(), strict=True))

    def of(self, keys: Sequence[str]) -> Ordinals:
        """Return the ordinal of each key, -1 where the domain does not claim it."""
        self.learn(keys)
        return np.array([self._known[key] for key in keys], dtype=np.int64)
