"""One cycle told once: plan, scan_shard, compare, publish, record. Celery tasks and ``--inline`` call these.

State names: ``cycles/<id>/shards/<shard>.arrow``, ``cycles/<id>/report.json``, ``latest.json``. The report is
written when everything else is: whoever waits for it finds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from recon import plan as plans
from recon import sketch_file
from recon.catalog_copies import count_complete_cycle
from recon.comparison import Comparison, compared
from recon.core.catalog import Catalog
from recon.core.gaps_document import gaps_document
from recon.core.inventory import Inventory
from recon.core.performance import exceeded
from recon.core.scrape import QueuePlan, queue_plan
from recon.core.standing import CycleFacts
from recon.core.task_body import TaskBody
from recon.errors import BrokerError, StateError
from recon.findings import merged
from recon.memory import Hints, Memory
from recon.model import PublishCounts, Shard
from recon.pace import Pace
from recon.plan import Judgement, Options, Plan
from recon.ports import Lister, Outputs, StateStore, TaskQueue
from recon.report import report_document
from recon.scan import Clock, scan
from recon.sharding import sharding

#: Seconds that a cycle waits at most for its publication to be on the queue server's disk.
SAVED_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Ports:
    """What a cycle speaks to. ``outputs`` takes the files that other programs read."""

    lister: Lister
    state: StateStore
    outputs: Outputs
    queue: TaskQueue
    clock: Clock
    pace: Pace = field(default_factory=Pace)


def plan(
    ports: Ports,
    cycle_id: str,
    inventory: Inventory,
    catalogs: Mapping[str, Catalog],
    options: Options,
) -> Judgement:
    """Freeze what is expected at this instant and cut the key space into shards."""
    draft = Plan(cycle_id, ports.clock(), inventory, options, (), tuple(catalogs), notices=inventory.notices)
    judged = plans.advised(plans.judgement(draft, catalogs))
    if not options.dry_run:
        ports.queue.claim_lake()
    hints = Hints.load(ports.state, options.lake)
    cut = sharding(ports.lister, judged, hints)
    frozen = replace(
        draft,
        shards=cut.shards,
        ordered=cut.ordered,
        apart=hints.apart,
        requests=cut.requests,
        notices=(*draft.notices, *judged.notices, *cut.notices),
    )
    plans.save(ports.state, frozen, catalogs)
    return replace(judged, plan=frozen)


def load(ports: Ports, cycle_id: str) -> Judgement:
    """Return a saved plan with its domains."""
    return plans.load(ports.state, cycle_id)


def scan_shard(ports: Ports, judged: Judgement, shard: Shard) -> str:
    """Look at one shard and put its sketch into the state; return the state's name for it."""
    name = f"cycles/{judged.plan.cycle_id}/shards/{shard.id}.arrow"
    ports.state.put(name, sketch_file.encoded(scan(ports.lister, judged, shard, ports.clock, ports.pace)))
    return name


def compare(ports: Ports, judged: Judgement) -> Comparison:
    """Merge what the shards saw and give every expected key its verdict."""
    return compared(judged, merged(ports.state, judged), Memory.load(ports.state))


def publish(ports: Ports, judged: Judgement, found: Comparison, fence: int) -> PublishCounts:
    """Make the queues hold the wanted work, once, within the caps; nothing is done for what was not seen."""
    options = judged.plan.options
    if options.dry_run and not options.dry_run_plans_tasks:
        return PublishCounts(outstanding=len(ports.queue.outstanding(options.lake)))
    wanted, outstanding = _queue_plan(ports, judged, found)
    counts = PublishCounts(
        published=len(wanted.published) + len(wanted.republished),
        duplicate=outstanding - len(wanted.withdrawn) - len(wanted.republished),
        moved=len(wanted.moved),
        deferred=wanted.deferred,
        unproven=wanted.unproven,
        withdrawn=len(wanted.withdrawn),
        revised=len(wanted.revised),
        outstanding=wanted.outstanding,
    )
    if options.dry_run:
        return counts
    queue = ports.queue
    # Written even when there is nothing to notice: a cycle that was overtaken must not go on to its report.
    queue.notice_gone(wanted.noticed_gone if found.complete else (), fence=fence)
    queue.withdraw(wanted.withdrawn, fence=fence)
    queue.republish(wanted.republished, fence=fence)
    if "gone" in queue.revise(wanted.revised, fence=fence).values():
        # A consumer popped a task while it was being revised: its keys are out after all.
        wanted, _ = _queue_plan(ports, judged, found)
    queue.publish(wanted.moved, fence=fence)
    outcomes = list(queue.publish(wanted.published, fence=fence).values())
    return replace(
        counts,
        published=outcomes.count("new") + len(wanted.republished),
        deferred=wanted.deferred + outcomes.count("deferred"),
        repaired=outcomes.count("repaired"),
        dead=outcomes.count("dead"),
        outstanding=len(queue.outstanding(options.lake)),
    )


def _queue_plan(ports: Ports, judged: Judgement, found: Comparison) -> tuple[QueuePlan, int]:
    """Return what to do with the queues as they are now, and how many tasks they hold."""
    options = judged.plan.options
    outstanding = ports.queue.outstanding(options.lake)
    facts = CycleFacts(
        lake=options.lake,
        started_at=judged.plan.started_at,
        complete=found.complete,
        visibility=timedelta(seconds=options.visibility_s),
        undecided=lambda body: _undecided(found, body),
    )
    groups = [group for gap in found.gaps for group in gap.groups]
    return queue_plan(groups, outstanding, options.limits, facts), len(outstanding)


def record(
    ports: Ports, judged: Judgement, found: Comparison, counts: PublishCounts, timings_s: Mapping[str, float]
) -> dict[str, object]:
    """Remember what the next cycle needs, then write the cycle's report and make it the latest one."""
    options = judged.plan.options
    cycle_id = judged.plan.cycle_id
    Hints.learn(ports.state, judged, found.sketch)
    if not options.dry_run:
        found.memory.save(ports.state)
        if found.complete:
            count_complete_cycle(ports.state, cycle_id)
        found = replace(found, warnings=(*found.warnings, *_gaps_file_written(ports, options)))
    document = report_document(judged, found, counts, ports.clock(), timings_s)
    ports.state.put(f"cycles/{cycle_id}/report.json", json.dumps(document).encode())
    if options.dry_run and not options.dry_run_kept:
        return document
    ports.state.put("latest.json", json.dumps({"cycle_id": cycle_id}).encode())
    _forget_sketches(ports.state, keep=cycle_id)
    return document


def _gaps_file_written(ports: Ports, options: Options) -> tuple[str, ...]:
    """Write the outstanding tasks for other programs; return why it could not be done, for the report.

    The tasks are published by then: a full disk under this file must not lose the cycle's result.
    """
    if options.gaps_file is None:
        return ()
    bodies = [task.body for task in ports.queue.outstanding(options.lake)]
    content = json.dumps(gaps_document(bodies, ports.clock()), indent=1).encode()
    try:
        ports.outputs.put(options.gaps_file, content)
    except StateError as error:
        return (str(error),)
    return ()


def conclude(ports: Ports, judged: Judgement, fence: int, spent_s: Mapping[str, float]) -> dict[str, object]:
    """Compare, publish and record; ``spent_s`` holds what planning took, and when it ended (Unix time)."""
    planned_at = spent_s.get("planned_at")
    scanned_at = ports.clock().timestamp()
    timings_s = {"plan": spent_s.get("plan", 0.0), "scan": scanned_at - (planned_at or scanned_at)}
    found = compare(ports, judged)
    compared_at = ports.clock().timestamp()
    counts = publish(ports, judged, found, fence)
    unsaved = _unsaved(ports.queue) if _wrote(judged.plan.options, counts) else ()
    published_at = ports.clock().timestamp()
    timings_s |= {"compare": compared_at - scanned_at, "publish": published_at - compared_at}
    slow = exceeded(judged.plan.options.performance, timings_s)
    found = replace(found, warnings=(*found.warnings, *unsaved, *slow))
    return record(ports, judged, found, counts, timings_s)


def _wrote(options: Options, counts: PublishCounts) -> bool:
    """Tell whether a publication changed the queues."""
    changed = counts.published + counts.moved + counts.withdrawn + counts.revised + counts.repaired
    return bool(changed) and not options.dry_run


def _unsaved(queue: TaskQueue) -> tuple[str, ...]:
    """Return why a crash of the queues' server right now would lose tasks; nothing where it would not."""
    try:
        saved = queue.saved(SAVED_TIMEOUT_S)
    except BrokerError as error:
        return (f"whether the queues are on the server's disk is not known: {error}",)
    if saved is False:
        late = (
            f"the queues are not on their server's disk after {SAVED_TIMEOUT_S:g} s: a crash of it now loses "
        )
        return (late + "tasks, until the next cycle publishes them again. Check its disk, and appendfsync.",)
    return ()


def _forget_sketches(state: StateStore, keep: str) -> None:
    """Delete the plans and sketches of earlier cycles; their reports stay."""
    earlier = {name.split("/")[1] for name in state.names("cycles/") if not name.endswith("/report.json")}
    for cycle_id in earlier - {keep}:
        for part in ("shards/", "catalogs/", "plan.json", "timings.json"):
            state.delete(f"cycles/{cycle_id}/{part}")


def _undecided(found: Comparison, body: TaskBody) -> bool:
    return found.undecided(body.source, body.data_type, body.keys, dict(body.partition))
