"""What a cycle saw of the lake, from whichever observation: per domain, and what nothing can be said of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pyroaring import BitMap

from recon.core.braking import NO_BRAKING, Braking
from recon.core.carried import Carried
from recon.core.domain import Domain
from recon.core.second_look import NO_SECOND_LOOK, SecondLook, young
from recon.core.shards import Observed, observed
from recon.core.sketch import DomainSketch, Sketch
from recon.core.verdicts import unobserved
from recon.model import KeyRange
from recon.plan import Judgement, instant

_EVERYTHING = KeyRange(b"")


@dataclass(frozen=True, eq=False)
class Sight:
    """An observation and what was looked at again, live, after it.

    ``sketch`` is merged from shards; a shard that is not there was not seen. ``carried`` is what an earlier
    cycle's observation shows in this cycle's ordinals, by domain number; then ``sketch`` is that cycle's.
    ``brake`` is what was lost suddenly, once that is judged: what is absent of a doubted type proves nothing.
    """

    judged: Judgement
    sketch: Sketch
    second: SecondLook = NO_SECOND_LOOK
    carried: Mapping[int, Carried] = field(default_factory=dict)
    brake: Braking = NO_BRAKING

    def of(self, number: int) -> DomainSketch:
        """Return everything that was seen of one domain."""
        domain = self.judged.domains[number]
        if self.judged.plan.kept is None:
            first = self.sketch.domain(number, len(domain.partitions.labels))
        else:
            first = self.carried[number].sketch
        return self.second.over(number, domain, first)

    def unseen(self, number: int, ordinals: BitMap) -> BitMap:
        """Return those of ``ordinals`` of a domain of which nothing can be said.

        They were not looked at, or came due after the look, and were not looked at again.
        """
        plan, domain = self.judged.plan, self.judged.domains[number]
        if self.brake.doubts(domain.dataset):
            return ordinals
        unseen = unobserved(domain, self._ranges, ordinals)
        if plan.kept is not None:
            unseen |= (self.carried[number].unseen & ordinals) - domain.not_due(plan.now)
        if plan.as_of < plan.started_at:
            unseen |= young(domain, instant(plan.as_of), plan.now) & ordinals
        return unseen - self.second.at(number)

    def whole(self, domain: Domain) -> bool:
        """Tell whether everything that a domain's patterns could claim was looked at."""
        seen = all(self._ranges.whole(block.literal_prefix) for block in domain.blocks)
        return seen and not self.brake.doubts(domain.dataset)

    @cached_property
    def _ranges(self) -> Observed:
        """Return the part of the lake that was seen whole: of a report, all it is read for, or nothing."""
        plan, scanned = self.judged.plan, self.judged.scanned
        if plan.kept is not None:
            return observed([_EVERYTHING])
        if plan.report is None:
            return observed(span for shard in scanned for span in self.sketch.seen(shard))
        whole = all(self.sketch.complete(shard.id) for shard in scanned)
        return observed(KeyRange(prefix) for prefix in (plan.report.cover if whole else ()))
