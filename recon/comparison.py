"""Compare what is expected with what was seen: a verdict for every key, coverage rows, gaps, warnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyroaring import BitMap

from recon.core.coverage import Counted, CoverageRow, counted, counted_rows, exact_rows
from recon.core.domain import Domain
from recon.core.gaps import Gap, Setting, counted_gaps, exact_gaps
from recon.core.numbering import Numbering
from recon.core.selection import selected
from recon.core.shards import Observed, observed
from recon.core.sketch import DomainSketch, Sketch
from recon.core.verdicts import Verdicts, facts_of, unobserved, verdicts
from recon.core.waivers import known_absent
from recon.memory import Memory
from recon.model import Kind, Verdict
from recon.plan import Judgement
from recon.sample import SampleEstimate, estimated


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One cycle's findings. ``verdicts``, ``numberings`` (exact) and ``counted`` are keyed by domain number.

    ``complete`` tells that every planned shard was seen whole and none was left out.
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

    def learn(self, keys: Mapping[tuple[str, str], Iterable[str]]) -> None:
        """Read keys that will be asked for, by source and data type, in one go a domain."""
        for numbering in self.numberings.values():
            dataset = numbering.domain.dataset
            numbering.learn(keys.get((dataset.source, dataset.data_type), ()))

    def undecided(
        self, source: str, data_type: str, keys: Sequence[str], partition: Mapping[str, str]
    ) -> bool:
        """Tell whether a task's keys (or its partition, without keys) include one that is unknown."""
        own = [
            (number, domain)
            for number, domain in enumerate(self.judged.domains)
            if (domain.dataset.source, domain.dataset.data_type) == (source, data_type)
        ]
        if not own:
            skipped = {(item.dataset.source, item.dataset.data_type) for item in self.judged.skipped}
            return (source, data_type) in skipped
        if keys:
            return any(self._holds_unknown(number, keys) for number, _ in own)
        return any(self._partition_unseen(number, domain, partition) for number, domain in own)

    def _holds_unknown(self, number: int, keys: Sequence[str]) -> bool:
        if number not in self.verdicts:
            return False
        unknown = self.verdicts[number][Verdict.UNKNOWN]
        if not unknown:
            return False
        ordinals = self.numberings[number].of(keys)
        return any(ordinal in unknown for ordinal in ordinals[ordinals >= 0])

    def _partition_unseen(self, number: int, domain: Domain, partition: Mapping[str, str]) -> bool:
        if number not in self.counted:
            return False
        seen = self.counted[number].observed
        labels = [dict(label) for label in domain.partitions.labels]
        return dict(partition) in labels and not seen[labels.index(dict(partition))]


def compared(judged: Judgement, sketch: Sketch, memory: Memory) -> Comparison:
    """Return the findings of a cycle from its merged sketch; a shard that is not there was not seen."""
    plan = judged.plan
    complete = {shard.id for shard in judged.scanned if sketch.complete(shard.id)}
    seen_ranges = observed(span for shard in judged.scanned for span in sketch.seen(shard))
    sketches = {
        number: sketch.domain(number, len(domain.partitions.labels))
        for number, domain in enumerate(judged.domains)
    }
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
            found[number] = _verdicts(judged, domain, seen, seen_ranges)
            rows.extend(exact_rows(domain, found[number]))
            numberings[number] = Numbering(domain)
            gaps.extend(exact_gaps(numberings[number], found[number], setting))
            continue
        tallied[number] = _counted(judged, domain, seen, seen_ranges)
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
        tuple(_warnings(judged, sketch, _unmatched(judged, sketch, sketches, seen_ranges), estimate)),
        complete=len(complete) == len(judged.planned),
        memory=memory,
        estimate=estimate,
    )


def _verdicts(judged: Judgement, domain: Domain, seen: DomainSketch, seen_ranges: Observed) -> Verdicts:
    plan = judged.plan
    facts = facts_of(domain, seen, seen_ranges, plan.inventory.waivers, plan.now)
    if plan.options.select:
        left_out = facts.expected - selected(domain, plan.options.select)
        facts = replace(facts, unobserved=facts.unobserved | left_out)
    return verdicts(facts)


def _counted(judged: Judgement, domain: Domain, seen: DomainSketch, seen_ranges: Observed) -> Counted:
    every = BitMap(range(domain.size))
    unseen = unobserved(domain, seen_ranges, every)
    if judged.plan.options.select:
        unseen |= every - selected(domain, judged.plan.options.select)
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
    if absent:
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


def _unmatched(
    judged: Judgement, sketch: Sketch, sketches: Mapping[int, DomainSketch], seen_ranges: Observed
) -> list[str]:
    """Return a line for each domain none of whose patterns matched an object, with what is there instead.

    Where a domain was not looked at whole, nothing is said: a failed look is not an absence.
    """
    strangers = sorted(
        {name for result in sketch.shards.values() for name, _ in result.facts.unexpected_by_prefix}
    )
    lines = []
    for number, domain in enumerate(judged.domains):
        if sketches[number].tally.objects.any() or not _is_seen_whole(domain, seen_ranges):
            continue
        top = domain.dataset.patterns[0].text.split("/", 1)[0]
        near = [name for name in strangers if name.startswith(top)][:3]
        seen = f"; the lake has {', '.join(near)}" if near else ""
        pattern = domain.blocks[0].pattern.spec.text
        wanted = (domain.expectation.expected or 1) * len(domain.partitions.labels)
        count = domain.size if domain.kind is Kind.EXACT else wanted
        lines.append(f"{domain.name}: pattern matched 0 of {count:,} ({pattern}){seen}")
    return lines


def _is_seen_whole(domain: Domain, seen_ranges: Observed) -> bool:
    return all(seen_ranges.whole(block.literal_prefix) for block in domain.blocks)
