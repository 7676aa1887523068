"""What an earlier cycle's observation shows in the ordinals of today.

Ordinals mean something only within one plan: time goes on, catalogs grow. What was seen is carried over by
key, and a key that the earlier plan did not expect was not looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import bitmap, ordinals_of
from recon.core.domain import Domain
from recon.core.sketch import DomainSketch, Tally
from recon.model import Kind

#: Keys that are carried over at once.
_ROWS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What an earlier cycle knew of one of its domains: ``unknown`` are ordinals that it could not judge."""

    domain: Domain
    sketch: DomainSketch
    unknown: BitMap


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """The same in today's ordinals; ``unseen`` are those of which it says nothing."""

    sketch: DomainSketch
    unseen: BitMap


def counterpart(domain: Domain, earlier: list[Seen]) -> Seen | None:
    """Return what an earlier cycle knew of a domain: the one of the same type, kind and patterns, if any."""
    return next((seen for seen in earlier if _identity(seen.domain) == _identity(domain)), None)


def carried(domain: Domain, seen: Seen | None) -> Carried:
    """Return what is known of ``domain`` from an earlier cycle; nothing where it had no counterpart."""
    if seen is None:
        nothing = DomainSketch(BitMap(), BitMap(), BitMap(), Tally.zero(len(domain.partitions.labels)))
        return Carried(nothing, BitMap(range(domain.size)))
    return _keys(domain, seen) if domain.kind is Kind.EXACT else _partitions(domain, seen)


def _identity(domain: Domain) -> tuple[object, ...]:
    return domain.name, domain.kind, tuple(block.pattern.spec.text for block in domain.blocks)


def _keys(domain: Domain, seen: Seen) -> Carried:
    before = [
        _flags(bits, seen.domain.size) for bits in (seen.sketch.present, seen.sketch.stale, seen.sketch.small)
    ]
    unknown = _flags(seen.unknown, seen.domain.size)
    today = [BitMap() for _ in before]
    unseen = BitMap()
    every = ordinals_of(domain.expected)
    for start in range(0, len(every), _ROWS):
        part = every[start : start + _ROWS]
        ordinals = seen.domain.encode(domain.decode(part))
        known = ordinals >= 0
        places = np.maximum(ordinals, 0)
        today = [
            bits | bitmap(part[known & flags[places]]) for bits, flags in zip(today, before, strict=True)
        ]
        unseen |= bitmap(part[~known | unknown[places]])
    present, stale, small = today
    return Carried(DomainSketch(present, stale, small, _tally(domain, seen)[0]), unseen)


def _partitions(domain: Domain, seen: Seen) -> Carried:
    """Carry counts over by partition; one that has other combinations today was not looked at as it is."""
    tally, same = _tally(domain, seen)
    unknown = np.unique(seen.domain.partition(ordinals_of(seen.unknown)))
    open_labels = {seen.domain.partitions.labels[number] for number in unknown.tolist()}
    same &= np.array([label not in open_labels for label in domain.partitions.labels], dtype=np.bool_)
    every = np.arange(domain.size, dtype=np.int64)
    return Carried(
        DomainSketch(BitMap(), BitMap(), BitMap(), tally), bitmap(every[~same[domain.partition(every)]])
    )


def _tally(domain: Domain, seen: Seen) -> tuple[Tally, NDArray[np.bool_]]:
    """Return the earlier counts by today's partitions, and which of those are of the same size as then."""
    places = {label: number for number, label in enumerate(seen.domain.partitions.labels)}
    numbers = np.array([places.get(label, -1) for label in domain.partitions.labels], dtype=np.int64)
    had = numbers >= 0
    columns = []
    for item in fields(Tally):
        column = np.zeros(len(numbers), dtype=np.int64)
        column[had] = getattr(seen.sketch.tally, item.name)[numbers[had]]
        columns.append(column)
    same = had.copy()
    same[had] = domain.partitions.sizes()[had] == seen.domain.partitions.sizes()[numbers[had]]
    return Tally(*columns), same


def _flags(bits: BitMap, size: int) -> NDArray[np.bool_]:
    flags = np.zeros(max(1, size), dtype=np.bool_)
    flags[ordinals_of(bits)] = True
    return flags
