"""What a cycle that sampled whole shards can tell of the whole lake, and what looking at all of it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import CHUNK, ordinals_of
from recon.core.domain import Domain
from recon.core.estimate import CONFIDENCE, Estimate, Sampled, share, total
from recon.core.selection import selected
from recon.core.shards import observed
from recon.core.sketch import ShardSketch, Sketch, Tally
from recon.core.tiling import Tiling
from recon.core.verdicts import Verdicts, unobserved
from recon.core.waivers import known_absent
from recon.model import Kind, Verdict
from recon.plan import Judgement

Numbers = NDArray[np.int64]

#: Keys that one LIST request returns at most (ListObjectsV2).
_KEYS_PER_REQUEST = 1000


@dataclass(frozen=True, slots=True)
class TypeEstimate:
    """One data type's share of the estimate: ``sampled`` of the ``shards`` that may hold its keys were seen.

    ``expected`` keys are those due and not known absent (exact only). ``have`` counts keys (exact) or objects
    that are neither stale nor small.
    """

    source: str
    data_type: str
    kind: Kind
    shards: int
    sampled: int
    expected: int | None
    have: Estimate | None
    missing: Estimate | None

    def document(self) -> dict[str, Any]:
        """Return it as the cycle's report shows it."""
        return {
            "source": self.source,
            "data_type": self.data_type,
            "kind": self.kind.value,
            "shards": {"in_scope": self.shards, "sampled": self.sampled},
            "expected": self.expected,
            "have": None if self.have is None else self.have.document(),
            "missing": None if self.missing is None else self.missing.document(),
        }


@dataclass(frozen=True, slots=True)
class SampleEstimate:
    """The estimate of one cycle, over all shards that were planned; ``expected`` keys are exact ones."""

    shards: int
    sampled: int
    objects: Estimate | None
    expected: int
    have: Estimate | None
    missing: Estimate | None
    types: tuple[TypeEstimate, ...]
    full_requests: int
    full_usd: float

    def document(self) -> dict[str, Any]:
        """Return it as the cycle's report shows it, under ``observed.estimate``."""
        figures = {"objects": self.objects, "have": self.have, "missing": self.missing}
        return {
            "confidence": CONFIDENCE,
            "shards": {"in_scope": self.shards, "sampled": self.sampled},
            "expected": self.expected,
            **{name: None if item is None else item.document() for name, item in figures.items()},
            "full_listing": {"requests": self.full_requests, "usd": round(self.full_usd, 6)},
            "data_types": [item.document() for item in self.types],
        }

    def warning(self) -> str:
        """Return it as one line for people."""
        known = [
            f"{_words(item)} {name}"
            for name, item in (("objects", self.objects), ("missing keys", self.missing))
            if item is not None
        ]
        return (
            f"sampled: {self.shards - self.sampled} of {self.shards} shards were not listed; their keys are "
            f"unknown. Estimate: {', '.join(known) or 'none, no shard was seen'}. A full listing takes about "
            f"{self.full_requests:,} requests ({self.full_usd:.4f} USD): set s3.sample_rate to null"
        )


def _words(estimate: Estimate) -> str:
    figures = estimate.document()
    if figures["low"] is None:
        return f"{figures['value']:,} (from one shard: no interval)"
    return f"{figures['value']:,} ({CONFIDENCE:.0%}: {figures['low']:,} to {figures['high']:,})"


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Keys of one exact domain that are judged, by drawn shard; ``due`` counts those to judge in all."""

    missing: Numbers
    bad: Numbers
    judged: Numbers
    due: int


def estimated(judged: Judgement, sketch: Sketch, found: Mapping[int, Verdicts]) -> SampleEstimate | None:
    """Return the estimate from the shards that were seen whole; None unless the cycle sampled.

    ``found`` are the verdicts of the exact domains. Shards that failed count as not drawn.
    """
    if all(shard.scan for shard in judged.plan.shards):
        return None
    return _Estimator(judged, sketch).estimate(found)


class _Estimator:
    def __init__(self, judged: Judgement, sketch: Sketch) -> None:
        self._judged = judged
        planned = judged.planned
        self._tiling = Tiling(planned)
        self._planned = observed(span for shard in planned for span in shard.ranges)
        self._drawn = np.array(
            [number for number, shard in enumerate(planned) if sketch.complete(shard.id)], dtype=np.int64
        )
        self._results: list[ShardSketch] = [sketch.shards[planned[number].id] for number in self._drawn]
        self._weights = np.array([shard.weight for shard in judged.plan.shards], dtype=np.int64)

    def estimate(self, found: Mapping[int, Verdicts]) -> SampleEstimate:
        options = self._judged.plan.options
        counts = {number: self._counts(number, verdicts) for number, verdicts in found.items()}
        every = np.arange(len(self._weights))
        have, missing = self._keys(list(counts.values()), every)
        objects = self._objects(np.array([result.facts.objects for result in self._results]), every)
        prefixes = {span.prefix for shard in self._judged.plan.shards for span in shard.ranges}
        requests = ceil((objects.value if objects else 0) / _KEYS_PER_REQUEST) + len(prefixes)
        return SampleEstimate(
            len(every),
            len(self._drawn),
            objects,
            sum(item.due for item in counts.values()),
            have,
            missing,
            tuple(self._type(number, counts.get(number)) for number in range(len(self._judged.domains))),
            requests,
            requests * options.list_usd,
        )

    def _type(self, number: int, counts: _Counts | None) -> TypeEstimate:
        domain = self._judged.domains[number]
        frame = self._tiling.under(block.literal_prefix for block in domain.blocks)
        missing = None
        if counts is not None:
            have, missing = self._keys([counts], frame)
        else:
            tallies = [_tally(result, number) for result in self._results]
            have = self._objects(np.array([int(tally.have.sum()) for tally in tallies]), frame)
        return TypeEstimate(
            domain.dataset.source,
            domain.dataset.data_type,
            domain.kind,
            len(frame),
            int(np.isin(self._drawn, frame).sum()),
            None if counts is None else counts.due,
            have,
            missing,
        )

    def _objects(self, found: Numbers, frame: Numbers) -> Estimate | None:
        """Return how many objects the shards of ``frame`` hold; their sizes are what the hints tell."""
        own = np.isin(self._drawn, frame)
        weights = self._weights[self._drawn[own]]
        whole = float(self._weights[frame].sum())
        estimate = total(Sampled(found[own], weights, whole, len(frame)))
        return None if estimate is None else estimate.within(float(found[own].sum()))

    def _keys(self, counts: list[_Counts], frame: Numbers) -> tuple[Estimate | None, Estimate | None]:
        """Return how many expected keys the lake has, and lacks, of domains that lie in ``frame``."""
        own = np.isin(self._drawn, frame)
        due = sum(item.due for item in counts)
        none = np.zeros(len(self._drawn), dtype=np.int64)
        judged = sum((item.judged for item in counts), none)[own]
        missing = sum((item.missing for item in counts), none)[own]
        bad = sum((item.bad for item in counts), none)[own]
        lacking = share(Sampled(missing, judged, float(due), len(frame)))
        faulty = share(Sampled(missing + bad, judged, float(due), len(frame)))
        return None if faulty is None else faulty.complement(due), lacking

    def _counts(self, number: int, found: Verdicts) -> _Counts:
        domain = self._judged.domains[number]
        missing = self._by_shard(domain, found[Verdict.MISSING])
        bad, ok = np.zeros_like(missing), np.zeros_like(missing)
        faulty = found[Verdict.STALE] | found[Verdict.SMALL]
        for place, result in enumerate(self._results):
            if number in result.domains:
                present = result.domains[number].present
                bad[place] = present.intersection_cardinality(faulty)
                ok[place] = present.intersection_cardinality(found[Verdict.OK])
        known = sum(len(found[item]) for item in (Verdict.OK, Verdict.STALE, Verdict.SMALL, Verdict.MISSING))
        return _Counts(missing, bad, ok + bad + missing, known + len(self._due_unseen(domain, found)))

    def _by_shard(self, domain: Domain, bits: BitMap) -> Numbers:
        """Return how many of ``bits`` fall into each drawn shard."""
        counts = np.zeros(len(self._weights), dtype=np.int64)
        every = ordinals_of(bits)
        for start in range(0, len(every), CHUNK):
            owners = self._tiling.owners(domain.decode(every[start : start + CHUNK]).cast(pl.Binary))
            counts += np.bincount(owners[owners >= 0], minlength=len(counts))
        return counts[self._drawn]

    def _due_unseen(self, domain: Domain, found: Verdicts) -> BitMap:
        """Return the unknown ordinals that are due, not known absent, and inside the planned shards."""
        plan = self._judged.plan
        waived = known_absent(domain, plan.inventory.waivers, plan.now)
        unseen = found[Verdict.UNKNOWN] - domain.not_due(plan.now) - waived
        if plan.options.select:
            unseen &= selected(domain, plan.options.select)
        return unseen - unobserved(domain, self._planned, unseen)


def _tally(result: ShardSketch, number: int) -> Tally:
    seen = result.domains.get(number)
    return Tally.zero(0) if seen is None else seen.tally
