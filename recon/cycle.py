"""One cycle told once: plan, scan_shard, compare, publish, record. Celery tasks and ``--inline`` call these.

State names: ``cycles/<id>/shards/<shard>.arrow``, ``cycles/<id>/report.json``, ``latest.json``. The report is
written when everything else is: whoever waits for it finds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recon import plan as plans
from recon import sketch_file
from recon.aws_reports import ReportPlace, refuse_unread
from recon.brake import braking
from recon.brake_record import keep_outcome, outcome, remember
from recon.brake_record import load as load_brake
from recon.catalog_copies import count_complete_cycle
from recon.claim_books import load_claims
from recon.comparison import Comparison, compared, unconfirmed_words
from recon.confirmation import confirmed
from recon.core.catalog import Catalog
from recon.core.gaps import Gap
from recon.core.inventory import Inventory
from recon.core.lake_clock import skew_words
from recon.core.performance import exceeded
from recon.findings import forget_earlier, keep_second_look, second_look, sight_of
from recon.kept_look import keep, kept_cycles
from recon.memory import Hints, Memory
from recon.model import PublishCounts, Shard
from recon.pace import Pace
from recon.plan import Judgement, Options, Plan
from recon.ports import Lister, Outputs, ReportFiles, StateStore, TaskQueue
from recon.publication import gaps_file_written, publish, unsaved
from recon.report import report_document
from recon.report_scan import scan_file
from recon.scan import Clock, scan
from recon.settlement import Settling, conclude_claims, settle
from recon.sharding import Sharding, by_files, read_for, scope, sharding
from recon.sight import Sight
from recon.source import source_of
from recon.withheld import Withheld


@dataclass(frozen=True, slots=True)
class Ports:
    """What a cycle speaks to. ``outputs`` takes the files that other programs read."""

    lister: Lister
    state: StateStore
    outputs: Outputs
    queue: TaskQueue
    clock: Clock
    reports: Callable[[], ReportFiles]
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a cycle ended: its report, the gaps that it found, and what the keeper of its hosts must know."""

    report: dict[str, Any]
    gaps: tuple[Gap, ...]
    told: tuple[str, ...] = ()


def plan(
    ports: Ports,
    cycle_id: str,
    inventory: Inventory,
    catalogs: Mapping[str, Catalog],
    options: Options,
    *,
    reports: ReportPlace | None = None,
) -> Judgement:
    """Freeze what is expected at this instant and cut the key space, or a report of it, into shards."""
    started_at = ports.clock()
    absent = load_claims(ports.state).waivers(started_at)
    inventory = replace(inventory, waivers=(*inventory.waivers, *absent))
    draft = Plan(cycle_id, started_at, inventory, options, (), tuple(catalogs), notices=inventory.notices)
    judged = plans.advised(plans.judgement(draft, catalogs))
    cover = scope(judged)
    wanted = None if reports is None else replace(reports, cover=cover)
    source = source_of(ports.state, options, wanted, ports.reports, started_at)
    draft = replace(draft, options=source.options)
    judged, choice = replace(judged, plan=draft), source.choice
    if not options.dry_run:
        ports.queue.claim_lake()
    hints = Hints.load(ports.state, options.lake)
    report = None if choice.report is None else read_for(choice.report, cover)
    if source.kept is not None:
        cut = Sharding((), ordered=hints.ordered)
    else:
        cut = sharding(ports.lister, judged, hints) if report is None else by_files(report, hints)
    frozen = replace(
        draft,
        shards=cut.shards,
        ordered=cut.ordered,
        apart=hints.apart,
        requests=cut.requests + choice.lists,
        gets=choice.gets,
        report=report,
        kept=source.kept,
        notices=(*draft.notices, *judged.notices, *source.notices, *cut.notices),
    )
    plans.save(ports.state, frozen, catalogs)
    return replace(judged, plan=frozen)


def load(ports: Ports, cycle_id: str) -> Judgement:
    """Return a saved plan with its domains."""
    return plans.load(ports.state, cycle_id)


def scan_shard(ports: Ports, judged: Judgement, shard: Shard) -> str:
    """Look at one shard and put its sketch into the state; return the state's name for it."""
    name = f"cycles/{judged.plan.cycle_id}/shards/{shard.id}.arrow"
    if shard.file:
        sketch = scan_file(ports.reports(), judged, shard, ports.clock)
    else:
        sketch = scan(ports.lister, judged, shard, ports.clock, ports.pace)
    ports.state.put(name, sketch_file.encoded(sketch))
    return name


def compare(ports: Ports, judged: Judgement) -> Comparison:
    """Merge what the shards saw and give every expected key its verdict; an older look is confirmed live."""
    sight = sight_of(ports.state, judged)
    refuse_unread(ports.state, judged, sight.sketch, ports.clock())
    found = compared(judged, sight, Memory.load(ports.state))
    if judged.plan.looks_again and second_look(ports.state, judged.plan.cycle_id) is None:
        second = confirmed(ports.lister, found)
        keep_second_look(ports.state, judged.plan.cycle_id, second)
        sight = replace(sight, second=second)
        found = compared(judged, sight, Memory.load(ports.state))
    return _braked(ports, sight, found)


def _braked(ports: Ports, sight: Sight, found: Comparison) -> Comparison:
    """Return the findings with what the brake makes of them; a cycle that is compared twice decides once."""
    cycle_id = found.judged.plan.cycle_id
    if outcome(ports.state, cycle_id) is not None:
        return found
    brake = braking(ports.lister, ports.state, found)
    keep_outcome(ports.state, cycle_id, brake)
    if not brake.decision.doubted:
        return replace(found, brake=brake)
    return compared(found.judged, replace(sight, brake=brake), Memory.load(ports.state))


def record(
    ports: Ports,
    judged: Judgement,
    found: Comparison,
    counts: PublishCounts,
    timings_s: Mapping[str, float],
    *,
    fence: int,
) -> dict[str, Any]:
    """Remember what the next cycle needs, then write the cycle's report and make it the latest one."""
    options = judged.plan.options
    cycle_id = judged.plan.cycle_id
    if judged.plan.as_of >= judged.plan.started_at:
        Hints.learn(ports.state, judged, found.sketch)
    if not options.dry_run:
        found.memory.save(ports.state)
        remember(ports.state, found.brake)
        if found.complete:
            count_complete_cycle(ports.state, cycle_id)
        unwritten = gaps_file_written(ports.queue, ports.outputs, options, ports.clock())
        found = replace(found, warnings=(*found.warnings, *unwritten))
    document = report_document(judged, found, counts, ports.clock(), timings_s)
    ports.state.put(f"cycles/{cycle_id}/report.json", json.dumps(document).encode())
    if options.dry_run and not options.dry_run_kept:
        return document
    ports.state.put("latest.json", json.dumps({"cycle_id": cycle_id, "fence": fence}).encode())
    keep(ports.state, found)
    forget_earlier(ports.state, {cycle_id, *kept_cycles(ports.state), *load_brake(ports.state).cycles})
    return document


def settling(ports: Ports, options: Options) -> Settling:
    """Return what settles claims under a plan's options."""
    return Settling(
        ports.lister,
        ports.state,
        ports.queue,
        ports.clock,
        options.lake,
        options.claim_rules,
        options.confirm_requests_max,
    )


def refill(ports: Ports, found: Comparison, fence: int) -> PublishCounts:
    """Publish what a finished cycle wanted and the caps held back, as far as there is room by now.

    Raises:
        CycleFencedError: A newer cycle has begun, and publishes itself.
    """
    options = found.judged.plan.options
    withheld = Withheld(found, load_claims(ports.state), options.claim_rules, ports.clock())
    return publish(ports.queue, found.judged, found, fence, withheld).counts


def _published(ports: Ports, judged: Judgement, found: Comparison, fence: int) -> PublishCounts:
    """Settle what scrapers claim, then publish what is still wanted."""
    options = judged.plan.options
    claimed = settling(ports, options)
    if not options.dry_run:
        settle(claimed)
    withheld = Withheld(found, load_claims(ports.state), options.claim_rules, ports.clock())
    published = publish(ports.queue, judged, found, fence, withheld)
    if not options.dry_run and found.complete:
        conclude_claims(claimed, judged.plan.as_of, published.refuted)
    return published.counts


def conclude(ports: Ports, judged: Judgement, fence: int, spent_s: Mapping[str, float]) -> Ending:
    """Compare, publish and record; ``spent_s`` holds what planning took, and when it ended (Unix time)."""
    planned_at = spent_s.get("planned_at")
    scanned_at = ports.clock().timestamp()
    timings_s = {"plan": spent_s.get("plan", 0.0), "scan": scanned_at - (planned_at or scanned_at)}
    found = compare(ports, judged)
    compared_at = ports.clock().timestamp()
    counts = _published(ports, judged, found, fence)
    at_risk = unsaved(ports.queue, judged.plan.options, counts)
    published_at = ports.clock().timestamp()
    timings_s |= {"compare": compared_at - scanned_at, "publish": published_at - compared_at}
    slow = exceeded(judged.plan.options.performance, timings_s)
    skewed = skew_words(_skews(found))
    words = (*found.brake.told, *unconfirmed_words(found), *at_risk, *slow, *skewed)
    found = replace(found, warnings=(*found.warnings, *words))
    return Ending(record(ports, judged, found, counts, timings_s, fence=fence), found.gaps, skewed)


def _skews(found: Comparison) -> list[float | None]:
    """Return how far the clocks of those that looked were off; those of a kept look were off then."""
    if found.judged.plan.kept is not None:
        return []
    return [result.facts.skew_s for result in found.sketch.shards.values()]
