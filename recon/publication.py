"""Make the scrapers' queues, and the file of tasks for other programs, hold a cycle's wanted work, once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from recon.comparison import Comparison
from recon.core.gaps_document import gaps_document
from recon.core.scrape import QueuePlan, queue_plan
from recon.core.standing import CycleFacts
from recon.core.task_body import TaskBody, read_body
from recon.errors import BrokerError, StateError
from recon.model import OutstandingTask, PublishCounts
from recon.plan import Judgement, Options
from recon.ports import Outputs, TaskQueue

#: Seconds that a cycle waits at most for its publication to be on the queue server's disk.
SAVED_TIMEOUT_S = 2.0


def publish(queue: TaskQueue, judged: Judgement, found: Comparison, fence: int) -> PublishCounts:
    """Make the queues hold the wanted work, once, within the caps; nothing is done for what was not seen."""
    options = judged.plan.options
    if options.dry_run and not options.dry_run_plans_tasks:
        return PublishCounts(outstanding=len(queue.outstanding(options.lake)))
    wanted, outstanding = _queue_plan(queue, judged, found)
    counts = _planned(wanted, outstanding)
    if options.dry_run:
        return counts
    # Written even when there is nothing to notice: a cycle that was overtaken must not go on to its report.
    queue.notice_gone(wanted.noticed_gone if found.complete else (), fence=fence)
    queue.withdraw(wanted.withdrawn, fence=fence)
    queue.republish(wanted.republished, fence=fence)
    if "gone" in queue.revise(wanted.revised, fence=fence).values():
        # A consumer popped a task while it was being revised: its keys are out after all.
        wanted, _ = _queue_plan(queue, judged, found)
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


def _queue_plan(queue: TaskQueue, judged: Judgement, found: Comparison) -> tuple[QueuePlan, int]:
    """Return what to do with the queues as they are now, and how many tasks they hold."""
    options = judged.plan.options
    outstanding = queue.outstanding(options.lake)
    found.learn(_keys_of(outstanding))
    facts = CycleFacts(
        lake=options.lake,
        started_at=judged.plan.started_at,
        complete=found.complete,
        visibility=timedelta(seconds=options.visibility_s),
        undecided=lambda body: _undecided(found, body),
    )
    groups = [group for gap in found.gaps for group in gap.groups]
    return queue_plan(groups, outstanding, options.limits, facts), len(outstanding)


def _keys_of(outstanding: Iterable[OutstandingTask]) -> dict[tuple[str, str], list[str]]:
    """Return the keys that are out, by source and data type."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for body in map(read_body, outstanding):
        if body is not None:
            keys[body.source, body.data_type] += body.keys
    return keys


def _undecided(found: Comparison, body: TaskBody) -> bool:
    return found.undecided(body.source, body.data_type, body.keys, dict(body.partition))


def _planned(wanted: QueuePlan, outstanding: int) -> PublishCounts:
    """Return what carrying out ``wanted`` over ``outstanding`` tasks comes to."""
    return PublishCounts(
        published=len(wanted.published) + len(wanted.republished),
        duplicate=outstanding - len(wanted.withdrawn) - len(wanted.republished),
        moved=len(wanted.moved),
        deferred=wanted.deferred,
        unproven=wanted.unproven,
        withdrawn=len(wanted.withdrawn),
        revised=len(wanted.revised),
        outstanding=wanted.outstanding,
    )
