"""What one shard saw, per domain, as bitmaps over ordinals and counts per partition; and how sketches merge.

A merged sketch keeps one result per shard id, so redelivery, repetition and order cannot change it: merging
is commutative, associative and idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.model import KeyRange, Shard

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts per partition of one domain: arrays over partition numbers; ``newest_ms`` is Unix time.

    ``have`` counts objects that are neither stale nor small.
    """

    objects: Numbers
    have: Numbers
    stale: Numbers
    small: Numbers
    size_bytes: Numbers
    newest_ms: Numbers

    @staticmethod
    def zero(partitions: int) -> Tally:
        """Return the tally of nothing."""
        return Tally(*(np.zeros(partitions, dtype=np.int64) for _ in range(6)))

    def plus(self, other: Tally) -> Tally:
        """Return the sum of both (the later ``newest_ms``)."""
        return Tally(
            self.objects + other.objects,
            self.have + other.have,
            self.stale + other.stale,
            self.small + other.small,
            self.size_bytes + other.size_bytes,
            np.maximum(self.newest_ms, other.newest_ms),
        )


@dataclass(frozen=True, slots=True, eq=False)
class DomainSketch:
    """What was seen of one domain. The bitmaps are empty for counted and any domains."""

    present: BitMap
    stale: BitMap
    small: BitMap
    tally: Tally


#: Nothing seen of a domain, whatever its partitions.
NOTHING = DomainSketch(BitMap(), BitMap(), BitMap(), Tally.zero(0))


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """How one shard went. ``failure`` is None when every range was seen whole; instants are ISO-8601 UTC.

    ``seen`` numbers the ranges of a failed shard that were seen whole all the same.
    ``boundaries`` are keys at even distances through what was listed, for the next cycle's ranges.
    ``unexpected_by_prefix`` counts unclaimed objects by top folder; ``unexpected_sample`` names a few.
    ``out_of_order`` tells that the backend's order cannot be trusted; ``refused``, that a report's file is
    not what its manifest tells, and will not become so. ``skew_s`` is how many seconds the clock of the host
    that looked is ahead of the lake's; None where the lake told no time.
    """

    shard_id: str
    started_at: str
    finished_at: str
    failure: str | None = None
    requests: int = 0
    objects: int = 0
    size_bytes: int = 0
    unexpected: int = 0
    unexpected_by_prefix: tuple[tuple[str, int], ...] = ()
    unexpected_sample: tuple[str, ...] = ()
    boundaries: tuple[bytes, ...] = ()
    out_of_order: bool = False
    refused: bool = False
    seen: tuple[int, ...] = ()
    skew_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ShardSketch:
    """One shard's whole result: its facts, and a sketch for each domain (by number) it saw objects of."""

    facts: ShardFacts
    domains: Mapping[int, DomainSketch] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Tell whether every range of the shard was seen whole."""
        return self.facts.failure is None


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Merged results, one per shard id."""

    shards: Mapping[str, ShardSketch] = field(default_factory=dict)

    def merged(self, other: Sketch) -> Sketch:
        """Return both together; of two results for one shard the one that saw more, then the later."""
        joined = dict(self.shards)
        for shard_id, result in other.shards.items():
            joined[shard_id] = max(joined.get(shard_id, result), result, key=_standing)
        return Sketch(joined)

    def complete(self, shard_id: str) -> bool:
        """Tell whether a planned shard was seen whole."""
        result = self.shards.get(shard_id)
        return result is not None and result.complete

    def seen(self, shard: Shard) -> list[KeyRange]:
        """Return the ranges of a planned shard that were seen whole."""
        result = self.shards.get(shard.id)
        if result is None:
            return []
        return list(shard.ranges) if result.complete else [shard.ranges[at] for at in result.facts.seen]

    def domain(self, number: int, partitions: int) -> DomainSketch:
        """Return everything that was seen of one domain.

        What failed shards saw counts as seen: an object that was there is no absence.
        """
        parts = [result.domains[number] for result in self.shards.values() if number in result.domains]
        tally = Tally.zero(partitions)
        for part in parts:
            tally = tally.plus(part.tally)
        return DomainSketch(
            _union(part.present for part in parts),
            _union(part.stale for part in parts),
            _union(part.small for part in parts),
            tally,
        )


def _standing(result: ShardSketch) -> tuple[bool, int, str, int, str]:
    facts = result.facts
    return result.complete, len(facts.seen), facts.finished_at, facts.objects, facts.failure or ""


def _union(parts: Iterable[BitMap]) -> BitMap:
    found = BitMap()
    for part in parts:
        found |= part
    return found
