"""Coverage rows: one per data type, kind and partition, from verdicts (exact) or tallies (counted, any)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import ordinals_of
from recon.core.domain import Domain
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
    rows the shortfall that no object stands for is ``missing``, ``not_due`` or ``unknown``.
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

    ``wanted`` objects are expected (1 for any); ``due`` and ``observed`` tell whether a shortfall may count.
    """

    tally: Tally
    wanted: Numbers
    due: NDArray[np.bool_]
    observed: NDArray[np.bool_]

    @property
    def short(self) -> NDArray[np.bool_]:
        """Return which partitions have fewer objects than wanted, looked at whole and due."""
        return (self.tally.have < self.wanted) & self.due & self.observed


def counted(domain: Domain, tally: Tally, unobserved: BitMap, not_due: BitMap) -> Counted:
    """Return the counted judgement of a domain from its tally and its unobserved and not-due combinations."""
    partitions = len(domain.partitions.labels)
    unseen = np.zeros(partitions, dtype=np.bool_)
    unseen[domain.partition(ordinals_of(unobserved))] = True
    later = np.zeros(partitions, dtype=np.int64)
    np.add.at(later, domain.partition(ordinals_of(not_due)), 1)
    # A partition by nothing pools all times: it is due as soon as any of it is.
    pending = later == domain.partitions.sizes() if domain.expectation.partition == () else later > 0
    wanted = domain.expectation.expected if domain.kind is Kind.COUNTED else 1
    return Counted(tally, np.full(partitions, wanted or 0, dtype=np.int64), ~pending, ~unseen)


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
    shortfalls = {name: shortfall if name == column else 0 for name in ("missing", "not_due", "unknown")}
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
        known_absent=0,
        **shortfalls,
        coverage=min(1.0, have / wanted) if quantified and known and wanted else None,
        threshold=domain.dataset.completeness_threshold,
    )
