"""Compare what is expected with what was seen: a verdict for every key, coverage rows, gaps, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyroaring import BitMap

from recon.core.block import bitmap
from recon.core.braking import NO_BRAKING, Braking
from recon.core.coverage import Counted, CoverageRow, counted, counted_rows, exact_rows
from recon.core.domain import Domain
from recon.core.gaps import Gap, Setting, counted_gaps, exact_gaps
from recon.core.numbering import Numbering
from recon.core.second_look import NO_SECOND_LOOK, SecondLook
from recon.core.selection import selected
from recon.core.sketch import DomainSketch, Sketch
from recon.core.verdicts import Verdicts, facts_of, verdicts
from recon.core.waivers import known_absent
from recon.memory import Memory
from recon.model import Kind, Verdict
from recon.plan import Judgement, Options
from recon.sample import SampleEstimate, estimated
from recon.sight import Sight

#: What a scraper can mend.
GAPS = (Verdict.MISSING, Verdict.STALE, Verdict.SMALL)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One cycle's findings. ``verdicts``, ``numberings`` (exact) and ``counted`` are keyed by domain number.

    ``complete`` tells that every planned shard was seen whole and none was left out. ``second`` is what was
    looked at again, live, where the observation is older than the cycle; ``unconfirmed`` holds the ordinals
    of gaps that only that observation shows. ``brake`` is what was lost suddenly, where that was judged.
    """

    judged: Judgement
    sketch: Sketch
    verdicts: Mapping[int, Verdicts]
    numberings: Mapping[int, Numbering]
    counted: Mapping[int, Counted]
    rows: tuple[CoverageRow, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]
    complete: bool
    memory: Memory = field(default_factory=Memory)
    estimate: SampleEstimate | None = None
    second: SecondLook = NO_SECOND_LOOK
    unconfirmed: Mapping[int, BitMap] = field(default_factory=dict)
    brake: Braking = NO_BRAKING

    def held(self, number: int) -> BitMap:
        """Return the ordinals of a domain's gaps that are held: by the brake, or until seen live."""
        held = self.brake.at(number)
        if self.judged.plan.options.hold_unconfirmed:
            held = held | self.unconfirmed.get(number, BitMap())
        return held

    def unknown(self, number: int) -> BitMap:
        """Return the ordinals of a domain of which nothing can be said."""
        if number in self.verdicts:
            return self.verdicts[number][Verdict.UNKNOWN]
        domain = self.judged.domains[number]
        every = np.arange(domain.size, dtype=np.int64)
        return bitmap(every[~self.counted[number].observed[domain.partition(every)]])


def compared(judged: Judgement, sight: Sight, memory: Memory) -> Comparison:
    """Return the findings of a cycle from what was seen; what was not seen has no verdict but unknown."""
    plan, sketch = judged.plan, sight.sketch
    complete = {shard.id for shard in judged.scanned if sketch.complete(shard.id)}
    sketches = {number: sight.of(number) for number in range(len(judged.domains))}
    memory.prove(judged.domains[number].name for number, seen in sketches.items() if seen.tally.objects.any())
    setting = Setting(
        plan.options.policy,
        plan.started_at,
        first_seen=lambda name: memory.since(name, plan.started_at),
        proven=lambda source, data_type: f"{source}.{data_type}" in memory.proven,
    )
    found: dict[int, Verdicts] = {}
    numberings: dict[int, Numbering] = {}
    tallied: dict[int, Counted] = {}
    rows: list[CoverageRow] = []
    gaps: list[Gap] = []
    for number, domain in enumerate(judged.domains):
        seen = sketches[number]
        if domain.kind is Kind.EXACT:
            unseen = sight.unseen(number, domain.expected - seen.present)
            found[number] = _verdicts(judged, domain, seen, unseen)
            rows.extend(exact_rows(domain, found[number]))
            numberings[number] = Numbering(domain)
            gaps.extend(exact_gaps(numberings[number], found[number], setting))
            continue
        every = BitMap(range(domain.size))
        tallied[number] = _counted(judged, domain, seen, sight.unseen(number, every))
        rows.extend(counted_rows(domain, tallied[number]))
        gaps.extend(counted_gaps(domain, tallied[number], setting))
    estimate = estimated(judged, sketch, found)
    return Comparison(
        judged,
        sketch,
        found,
        numberings,
        tallied,
        tuple(rows),
        tuple(gaps),
        tuple(_warnings(judged, sketch, _unmatched(judged, sight, sketches), estimate)),
        complete=len(complete) == len(judged.planned) and not sight.brake.decision.doubted,
        memory=memory,
        estimate=estimate,
        second=sight.second,
        unconfirmed=_unconfirmed(judged, found, tallied, sight.second),
        brake=sight.brake,
    )


def _unconfirmed(
    judged: Judgement, found: Mapping[int, Verdicts], tallied: Mapping[int, Counted], second: SecondLook
) -> dict[int, BitMap]:
    """Return the ordinals of gaps that only an observation older than the cycle shows, by domain number."""
    if judged.plan.as_of >= judged.plan.started_at:
        return {}
    gaps = {number: BitMap.union(*(own[verdict] for verdict in GAPS)) for number, own in found.items()}
    for number, counts in tallied.items():
        domain = judged.domains[number]
        every = np.arange(domain.size, dtype=np.int64)
        gaps[number] = bitmap(every[counts.short[domain.partition(every)]])
    return {number: bits - second.at(number) for number, bits in gaps.items()}


def _verdicts(judged: Judgement, domain: Domain, seen: DomainSketch, unseen: BitMap) -> Verdicts:
    plan = judged.plan
    if plan.options.select:
        unseen |= domain.expected - selected(domain, plan.options.select)
    return verdicts(facts_of(domain, seen, unseen, plan.inventory.waivers, plan.now))


def _counted(judged: Judgement, domain: Domain, seen: DomainSketch, unseen: BitMap) -> Counted:
    if judged.plan.options.select:
        unseen |= BitMap(range(domain.size)) - selected(domain, judged.plan.options.select)
    absent = known_absent(domain, judged.plan.inventory.waivers, judged.plan.now)
    return counted(domain, seen.tally, unseen, domain.not_due(judged.plan.now), absent)


def _warnings(
    judged: Judgement, sketch: Sketch, unmatched: Sequence[str], estimate: SampleEstimate | None
) -> list[str]:
    lines = [
        f"{notice.where}: {notice.message}" if notice.where else notice.message for notice in judged.told
    ]
    failed = [result.facts for result in sketch.shards.values() if not result.complete]
    lines.extend(
        sorted(
            {f"a part of the lake was not seen, so its keys are unknown: {facts.failure}" for facts in failed}
        )
    )
    absent = len(judged.scanned) - len(sketch.shards)
    if absent > 0:
        lines.append(f"{absent} shards never reported; their keys are unknown")
    if estimate is not None:
        lines.append(estimate.warning())
    elif judged.plan.options.sample_rate is not None:
        lines.append(
            f"s3.sample_rate {judged.plan.options.sample_rate}: nothing is known yet to cut the lake by, so "
            "all of it was listed; the next cycle samples"
        )
    lines.extend(f"{bound.dataset.name} is skipped: {bound.skipped}" for bound in judged.skipped)
    chosen = judged.plan.options.select
    if chosen and not any(selected(domain, chosen) for domain in judged.domains):
        lines.append("--select keeps no expected key: all are unknown. recon validate lists what there is")
    lines.extend(unmatched)
    return lines


def unconfirmed_words(found: Comparison) -> tuple[str, ...]:
    """Return what a person should know of gaps that were not seen live."""
    plan = found.judged.plan
    number = sum(map(len, found.unconfirmed.values()))
    told = [f"looking again, live: {reason}" for reason in found.second.failures]
    if number and plan.looks_again:
        kept = "held back" if plan.options.hold_unconfirmed else "queued all the same (s3.hold_unconfirmed)"
        told.append(
            f"{number:,} gaps are as of {plan.as_of:%Y-%m-%d %H:%M} UTC and were not confirmed live: "
            f"{_limits(plan.options)}; they are {kept}"
        )
    return tuple(told)


def _limits(options: Options) -> str:
    """Return what bounds the requests of a second look."""
    most = f"s3.confirm_requests_max is {options.confirm_requests_max:,}"
    if options.requests_max is None:
        return most
    return f"{most}, s3.max_requests_per_cycle {options.requests_max:,}"


def _unmatched(judged: Judgement, sight: Sight, sketches: Mapping[int, DomainSketch]) -> list[str]:
    """Return a line for each domain none of whose patterns matched an object, with what is there instead.

    Where a domain was not looked at whole, nothing is said: a failed look is not an absence.
    """
    strangers = sorted(
        {name for result in sight.sketch.shards.values() for name, _ in result.facts.unexpected_by_prefix}
    )
    lines = []
    for number, domain in enumerate(judged.domains):
        if sketches[number].tally.objects.any() or not sight.whole(domain):
            continue
        top = domain.dataset.patterns[0].text.split("/", 1)[0]
        near = [name for name in strangers if name.startswith(top)][:3]
        seen = f"; the lake has {', '.join(near)}" if near else ""
        pattern = domain.blocks[0].pattern.spec.text
        wanted = (domain.expectation.expected or 1) * len(domain.partitions.labels)
        count = domain.size if domain.kind is Kind.EXACT else wanted
        lines.append(f"{domain.name}: pattern matched 0 of {count:,} ({pattern}){seen}")
    return lines
