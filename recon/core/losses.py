"""What one expectation lost since its baseline: keys that were there and are absent, or objects fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from recon.core.block import bitmap
from recon.core.coverage import Counted
from recon.core.crossing import Crossing
from recon.core.domain import Domain
from recon.core.sketch import DomainSketch, Numbers
from recon.core.verdicts import Verdicts
from recon.model import Kind, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Of ``before`` keys (or objects) of the baseline, ``vanished`` are seen to be gone.

    ``gone`` holds the ordinals that lost something (of a counted domain, all of a partition that did), and
    ``gaps`` those of them that a scraper would be asked for.
    """

    before: int
    vanished: int
    gone: BitMap
    gaps: BitMap


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """What a baseline's cycle saw of one of its domains."""

    domain: Domain
    sketch: DomainSketch


def counterpart(domain: Domain, earlier: Sequence[Earlier]) -> Earlier | None:
    """Return what a baseline holds of a domain: of a counted one, where its patterns are the same."""
    texts = [block.pattern.spec.text for block in domain.blocks]
    for one in earlier:
        if (one.domain.name, one.domain.kind) == (domain.name, domain.kind) and (
            domain.kind is Kind.EXACT or [block.pattern.spec.text for block in one.domain.blocks] == texts
        ):
            return one
    return None


def exact_loss(domain: Domain, found: Verdicts, earlier: Earlier) -> Loss:
    """Return the keys that were there and are seen to be absent; what is known to be absent is no loss."""
    crossing, present = Crossing(earlier.domain, domain), earlier.sketch.present
    gaps = crossing.seen_before(found[Verdict.MISSING], present)
    gone = gaps | crossing.seen_before(found[Verdict.NOT_DUE], present)
    waived = crossing.seen_before(found[Verdict.KNOWN_ABSENT], present)
    return Loss(crossing.still_expected(present) - len(waived), len(gone), gone, gaps)


def counted_loss(domain: Domain, counted: Counted, earlier: Earlier) -> Loss:
    """Return how many objects fewer the partitions hold that were looked at and fall short of their number.

    A partition that still holds what is expected of it has lost nothing: its objects were merged, say.
    """
    before = np.where(counted.waived, 0, _objects_before(domain, earlier))
    short = (counted.tally.objects < counted.wanted) & counted.observed & ~counted.waived
    lost = np.where(short, np.maximum(0, before - counted.tally.objects), 0)
    every = np.arange(domain.size, dtype=np.int64)
    numbers = domain.partition(every)
    gone = bitmap(every[lost[numbers] > 0])
    gaps = bitmap(every[((lost > 0) & counted.short)[numbers]])
    return Loss(int(before.sum()), int(lost.sum()), gone, gaps)


def _objects_before(domain: Domain, earlier: Earlier) -> Numbers:
    places = {label: number for number, label in enumerate(earlier.domain.partitions.labels)}
    numbers = np.array([places.get(label, -1) for label in domain.partitions.labels], dtype=np.int64)
    objects = np.append(earlier.sketch.tally.objects, 0)
    return objects[numbers]
