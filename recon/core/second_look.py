"""What was looked at again, live: it stands over what an older observation says of the same keys.

Merging is by replacement, so a second look that is made twice, or read back, gives the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import ordinals_of
from recon.core.domain import Domain
from recon.core.sketch import DomainSketch, Tally
from recon.model import Kind

_NOTHING = BitMap()


@dataclass(frozen=True, slots=True, eq=False)
class SecondLook:
    """Ordinals that were looked at, and what was found of them, by domain number.

    ``lists`` and ``gets`` count requests; ``failures`` says, once each, why some keys could not be seen.
    """

    looked: Mapping[int, BitMap] = field(default_factory=dict)
    found: Mapping[int, DomainSketch] = field(default_factory=dict)
    lists: int = 0
    gets: int = 0
    failures: tuple[str, ...] = ()

    def at(self, number: int) -> BitMap:
        """Return the ordinals of a domain that were looked at."""
        return self.looked.get(number, _NOTHING)

    def over(self, number: int, domain: Domain, first: DomainSketch) -> DomainSketch:
        """Return what is known of a domain after both looks.

        Partitions of a counted domain are looked at whole or not at all.
        """
        looked = self.at(number)
        if not looked:
            return first
        later = self.found.get(number) or _nothing(domain)
        if domain.kind is not Kind.EXACT:
            numbers = np.unique(domain.partition(ordinals_of(looked)))
            return DomainSketch(first.present, first.stale, first.small, _replaced(first, later, numbers))
        return DomainSketch(
            (first.present - looked) | (later.present & looked),
            (first.stale - looked) | (later.stale & looked),
            (first.small - looked) | (later.small & looked),
            first.tally.plus(later.tally),
        )


NO_SECOND_LOOK = SecondLook()


def young(domain: Domain, as_of: np.datetime64, now: np.datetime64) -> BitMap:
    """Return the ordinals that came due after an observation, which therefore says nothing of them."""
    return domain.not_due(as_of) - domain.not_due(now)


def _nothing(domain: Domain) -> DomainSketch:
    return DomainSketch(BitMap(), BitMap(), BitMap(), Tally.zero(len(domain.partitions.labels)))


def _replaced(first: DomainSketch, later: DomainSketch, numbers: NDArray[np.int64]) -> Tally:
    """Return the first look's counts, those of some partitions replaced by the later look's."""
    columns = []
    for name in ("objects", "have", "stale", "small", "size_bytes", "newest_ms"):
        column = getattr(first.tally, name).copy()
        column[numbers] = getattr(later.tally, name)[numbers]
        columns.append(column)
    return Tally(*columns)
