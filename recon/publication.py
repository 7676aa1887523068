"""Make the scrapers' queues, and the file of tasks for other programs, hold a cycle's wanted work, once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from recon.comparison import Comparison
from recon.core.gaps import DomainKeys
from recon.core.gaps_document import gaps_document
from recon.core.scrape import QueuePlan, queue_plan
from recon.core.standing import CycleFacts
from recon.core.task_body import WantedGroup
from recon.errors import BrokerError, StateError
from recon.model import PublishCounts, ScrapeTask
from recon.plan import Judgement, Options
from recon.ports import Outputs, TaskQueue
from recon.undecided import Undecided
from recon.withheld import Withheld, without_ordinals

#: Seconds that a cycle waits at most for its publication to be on the queue server's disk.
SAVED_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication did; ``refuted`` are tasks said to be done that the cycle saw not to be."""

    counts: PublishCounts
    refuted: tuple[ScrapeTask, ...] = ()


def publish(
    queue: TaskQueue, judged: Judgement, found: Comparison, fence: int, withheld: Withheld
) -> Publication:
    """Make the queues hold the wanted work, once, within the caps; nothing is done for what was not seen."""
    options = judged.plan.options
    if options.dry_run and not options.dry_run_plans_tasks:
        return Publication(PublishCounts(outstanding=len(queue.outstanding(options.lake))))
    wanted, outstanding = _queue_plan(queue, judged, found, withheld)
    counts = _planned(wanted, outstanding, held=sum(map(len, map(found.held, range(len(judged.domains))))))
    if options.dry_run:
        return Publication(counts)
    # Asked even when there is nothing to withdraw: a cycle that was overtaken must not go on to its report.
    queue.withdraw(wanted.withdrawn, fence=fence)
    reopened = queue.reopen(wanted.reopened, fence=fence)
    refuted = tuple(
        task for task in wanted.reopened if reopened[task.id] != "gone" and task.id in wanted.said
    )
    if "gone" in queue.revise(wanted.revised, fence=fence).values():
        # A consumer popped a task while it was being revised: its keys are out after all.
        wanted, _ = _queue_plan(queue, judged, found, withheld)
    as_of = judged.plan.as_of
    queue.publish(wanted.moved, fence=fence, observed_at=as_of)
    outcomes = list(queue.publish(wanted.published, fence=fence, observed_at=as_of).values())
    back = [*reopened.values(), *outcomes]
    told = replace(
        counts,
        published=outcomes.count("new") + outcomes.count("reopened"),
        suppressed=outcomes.count("suppressed"),
        deferred=wanted.deferred + outcomes.count("deferred"),
        repaired=outcomes.count("repaired"),
        reopened=back.count("reopened"),
        dead=back.count("dead"),
        outstanding=len(queue.outstanding(options.lake)),
    )
    return Publication(told, refuted)


def unsaved(queue: TaskQueue, options: Options, counts: PublishCounts) -> tuple[str, ...]:
    """Return why a crash of the queues' server right now would lose tasks; nothing where it would not."""
    changed = counts.published + counts.moved + counts.withdrawn + counts.revised + counts.repaired
    if options.dry_run or not changed:
        return ()
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


def gaps_file_written(queue: TaskQueue, outputs: Outputs, options: Options, now: datetime) -> tuple[str, ...]:
    """Write the outstanding tasks for other programs; return why it could not be done, for the report.

    The tasks are published by then: a full disk under this file must not lose the cycle's result.
    """
    if options.gaps_file is None:
        return ()
    bodies = [task.body for task in queue.outstanding(options.lake)]
    content = json.dumps(gaps_document(bodies, now), indent=1).encode()
    try:
        outputs.put(options.gaps_file, content)
    except StateError as error:
        return (str(error),)
    return ()


def _queue_plan(
    queue: TaskQueue, judged: Judgement, found: Comparison, withheld: Withheld
) -> tuple[QueuePlan, int]:
    """Return what to do with the queues as they are now, and how many tasks they hold."""
    options = judged.plan.options
    outstanding = queue.outstanding(options.lake)
    undecided = Undecided(found, outstanding)
    out = {task.id for task in outstanding if not task.is_ours}
    facts = CycleFacts(
        lake=options.lake,
        as_of=judged.plan.as_of,
        undecided=lambda body: undecided(body) or (body.id in out and withheld.leaves(body)),
    )
    groups = withheld.without(group for gap in found.gaps for group in gap.groups)
    if options.hold_unconfirmed or found.brake.gaps:
        groups = [free for group in groups if (free := _free(found, undecided, group)) is not None]
    return queue_plan(groups, outstanding, options.limits, facts), len(outstanding)


def _free(found: Comparison, undecided: Undecided, group: WantedGroup) -> WantedGroup | None:
    """Return what of a group is not held; None where all of it is."""
    if not isinstance(group.keys, DomainKeys):
        return None if undecided.is_held(group.source, group.data_type, group.partition) else group
    number = found.judged.domains.index(group.keys.numbering.domain)
    return without_ordinals(group, group.keys, undecided.held(number))


def _planned(wanted: QueuePlan, outstanding: int, held: int) -> PublishCounts:
    """Return what carrying out ``wanted`` over ``outstanding`` tasks comes to; ``held`` gaps are left out."""
    return PublishCounts(
        held=held,
        published=len(wanted.published),
        reopened=len(wanted.reopened),
        duplicate=outstanding - len(wanted.withdrawn) - len(wanted.reopened),
        moved=len(wanted.moved),
        deferred=wanted.deferred,
        unproven=wanted.unproven,
        withdrawn=len(wanted.withdrawn),
        revised=len(wanted.revised),
        outstanding=wanted.outstanding,
    )
