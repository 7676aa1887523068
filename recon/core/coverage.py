"""Coverage rows: one per data type, kind and partition, from verdicts (exact) or tallies (counted, any)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import ordinals_of
from recon.core.domain import Domain
from recon.core.due import due_at
from recon.core.partitions import Label
from recon.core.sketch import Tally
from recon.core.verdicts import Verdicts
from recon.model import Kind, Verdict

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How complete one partition of a data type is.

    ``have`` counts objects that are neither stale nor small. A row of kind any expects the one object that
    keeps it from being a gap, and has no coverage. For exact rows the verdict columns count keys. For counted
    rows the shortfall that no object stands for is ``missing``, ``not_due``, ``known_absent`` or ``unknown``.
    """

    source: str
    data_type: str
    partition: Label
    kind: Kind
    expected: int
    have: int
    ok: int
    stale: int
    small: int
    missing: int
    not_due: int
    known_absent: int
    unknown: int
    coverage: float | None
    threshold: float

    def document(self) -> dict[str, Any]:
        """Return the row as ``recon run --json`` prints it."""
        return {
            "source": self.source,
            "data_type": self.data_type,
            "partition": dict(self.partition),
            "kind": self.kind.value,
            "expected": self.expected,
            "have": self.have,
            **{verdict.value: getattr(self, verdict.value) for verdict in Verdict},
            "coverage": self.coverage,
            "threshold": self.threshold,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """One counted or any domain, judged per partition: arrays over partition numbers.

    ``wanted`` objects are expected (1 for any); ``due``, ``observed`` and ``waived`` tell whether a
    shortfall may count.
    """

    tally: Tally
    wanted: Numbers
    due: NDArray[np.bool_]
    observed: NDArray[np.bool_]
    waived: NDArray[np.bool_]

    @property
    def short(self) -> NDArray[np.bool_]:
        """Return which partitions lack objects that count: looked at whole, due, and not waived."""
        return (self.tally.have < self.wanted) & self.due & self.observed & ~self.waived


def counted(
    domain: Domain,
    tally: Tally,
    unobserved: BitMap,
    not_due: BitMap,
    known_absent: BitMap | None = None,
) -> Counted:
    """Return the counted judgement of a domain from its tally and three sets of its combinations.

    A partition is unobserved where any of it was not seen, waived where all of it is known absent. Where it
    names the time that decides what is due, it is due with the last of its steps; else it pools all times,
    and is due as soon as any of it is.
    """
    partitions = len(domain.partitions.labels)
    sizes = domain.partitions.sizes()
    later = _per_partition(domain, not_due)
    pending = later > 0 if _names_its_time(domain) else (later == sizes) & (sizes > 0)
    absent = _per_partition(domain, known_absent or BitMap())
    wanted = domain.expectation.expected if domain.kind is Kind.COUNTED else 1
    return Counted(
        tally,
        np.full(partitions, wanted or 0, dtype=np.int64),
        due=~pending,
        observed=_per_partition(domain, unobserved) == 0,
        waived=(absent == sizes) & (sizes > 0),
    )


def _per_partition(domain: Domain, ordinals: BitMap) -> Numbers:
    """Return how many of ``ordinals`` each partition holds."""
    numbers = domain.partition(ordinals_of(ordinals))
    return np.bincount(numbers, minlength=len(domain.partitions.labels)).astype(np.int64)


def _names_its_time(domain: Domain) -> bool:
    """Tell whether the partition names the axis that decides when a pattern's objects are due."""
    names = domain.expectation.partition
    for block in domain.blocks:
        decided = due_at(block.pattern)
        if decided is not None and any(name in block.axes[decided[0]].fields for name in names):
            return True
    return False


def exact_rows(domain: Domain, found: Verdicts) -> list[CoverageRow]:
    """Return the rows of an exact domain, in partition order."""
    labels = domain.partitions.labels
    counts: dict[Verdict, Numbers] = {
        verdict: np.bincount(domain.partition(ordinals_of(bits)), minlength=len(labels))
        for verdict, bits in found.items()
        if verdict is not Verdict.OK
    }
    expected = domain.partitions.sizes()
    expected -= np.bincount(domain.partition(ordinals_of(domain.shadowed)), minlength=len(labels))
    counts[Verdict.OK] = expected - np.sum(list(counts.values()), axis=0)
    rows = []
    for number, label in enumerate(labels):
        if not expected[number]:
            continue
        own = {verdict.value: int(counts[verdict][number]) for verdict in Verdict}
        judged = own["ok"] + own["stale"] + own["small"] + own["missing"]
        rows.append(
            CoverageRow(
                domain.dataset.source,
                domain.dataset.data_type,
                label,
                Kind.EXACT,
                int(expected[number]),
                own["ok"],
                **own,
                coverage=own["ok"] / judged if judged else None,
                threshold=domain.dataset.completeness_threshold,
            ),
        )
    return rows


def counted_rows(domain: Domain, judged: Counted) -> list[CoverageRow]:
    """Return the rows of a counted or any domain, in partition order."""
    return [_counted_row(domain, judged, number) for number in range(len(domain.partitions.labels))]


def _counted_row(domain: Domain, judged: Counted, number: int) -> CoverageRow:
    tally = judged.tally
    have, stale, small = (int(column[number]) for column in (tally.have, tally.stale, tally.small))
    wanted = int(judged.wanted[number])
    shortfall = max(0, wanted - have - stale - small)
    column = "missing"
    if not judged.observed[number]:
        column = "unknown"
    elif not judged.due[number]:
        column = "not_due"
    elif judged.waived[number]:
        column = "known_absent"
    columns = ("missing", "not_due", "known_absent", "unknown")
    shortfalls = {name: shortfall if name == column else 0 for name in columns}
    known = bool(judged.observed[number]) or have >= wanted
    quantified = domain.kind is Kind.COUNTED
    return CoverageRow(
        domain.dataset.source,
        domain.dataset.data_type,
        domain.partitions.labels[number],
        domain.kind,
        wanted,
        have,
        ok=have,
        stale=stale,
        small=small,
        **shortfalls,
        coverage=min(1.0, have / wanted) if quantified and known and wanted else None,
        threshold=domain.dataset.completeness_threshold,
    )
