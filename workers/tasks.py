"""The cycle's steps as Celery tasks: a few lines each, references as arguments, no policy."""

from __future__ import annotations

from typing import Any

from celery import chord

from workers import alerting, steps, tending
from workers.app import task
from workers.messages import (
    BEGIN,
    CONTROL,
    FINISH,
    SCAN,
    SCAN_SHARD_AGAIN,
    send_again,
    send_begin,
    send_finish,
)


@task(name="recon.scheduled_cycle", queue=CONTROL)
def scheduled_cycle(every_s: float) -> None:
    """Begin the cycle of this interval, unless another beat or a running cycle has it."""
    found = steps.slot_cycle(every_s)
    if found is not None:
        send_begin(*found)


@task(name=BEGIN, queue=CONTROL)
def begin(cycle_id: str, flags: dict[str, Any]) -> None:
    """Plan the cycle and fan its shards out; the chord's body finishes it."""
    steps.note_consumed(steps.CONTROL_WORKER)
    shard_ids = steps.begin(cycle_id, flags)
    if shard_ids is not None:
        dispatch(cycle_id, shard_ids)
        steps.sent(cycle_id, shard_ids)


@task(name="recon.scan_shard", queue=SCAN)
def scan_shard(cycle_id: str, shard_id: str) -> None:
    """Look at one shard of the chord; what went wrong comes back as data."""
    steps.scan_shard(cycle_id, shard_id)


@task(name=SCAN_SHARD_AGAIN, queue=SCAN)
def scan_shard_again(cycle_id: str, shard_id: str) -> None:
    """Look at a shard that was lost; the chord does not wait for this one, so the last of them finishes."""
    if steps.scan_shard(cycle_id, shard_id):
        send_finish(cycle_id)


@task(name=FINISH, queue=CONTROL)
def finish(cycle_id: str) -> None:
    """Compare, publish and record, once, when every shard has reported."""
    steps.note_consumed(steps.CONTROL_WORKER)
    steps.finish(cycle_id)


@task(name="recon.watchdog", queue=CONTROL)
def watchdog() -> None:
    """Begin what is to be tried again, send lost shards out again, finish cycles whose chord never fired."""
    steps.note_consumed(steps.CONTROL_WORKER)
    _begin_due()
    for cycle_id, shard_ids in steps.stuck():
        send_again(cycle_id, shard_ids)


@task(name="recon.tend", queue=CONTROL)
def tend() -> None:
    """Settle claims, top the queues up, begin a cycle early when they run dry."""
    steps.note_consumed(steps.CONTROL_WORKER)
    tending.tend()
    _begin_due()


@task(name="recon.alert", queue=CONTROL)
def alert() -> None:
    """Tell whom it concerns what is wrong, and what is over."""
    alerting.alert()


def _begin_due() -> None:
    for cycle_id, flags in steps.due_cycles():
        send_begin(cycle_id, flags)


def dispatch(cycle_id: str, shard_ids: list[str]) -> None:
    """Send the shards out as one chord whose body is ``finish``; ids are deterministic."""
    body = finish.si(cycle_id).set(task_id=f"{cycle_id}:finish")
    if not shard_ids:
        body.apply_async()
        return
    header = [
        scan_shard.si(cycle_id, shard_id).set(task_id=f"{cycle_id}:{shard_id}") for shard_id in shard_ids
    ]
    chord(header)(body)
