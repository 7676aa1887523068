"""Celery's side of the logs: a worker's role, and the ids that travel with each task.

Owns the message headers ``cycle_id`` and ``shard_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery.signals import (
    before_task_publish,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
)

from recon import access
from recon.adapters.logs.context import enter, leave

#: What the arguments of the cycle's tasks are called; others act for no cycle in particular.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "recon.begin": ("cycle_id",),
    "recon.finish": ("cycle_id",),
    "recon.scan_shard": ("cycle_id", "shard_id"),
    "recon.scan_shard_again": ("cycle_id", "shard_id"),
}
#: Only workers tell who they are; what starts a log without that is beat.
_role = "beat"


def start(role: str) -> None:
    """Log as this role from now on."""
    access.start_logging(access.settings(), role)


@celeryd_init.connect
def _remember_role(sender: str = "", options: Mapping[str, Any] | None = None, **_: Any) -> None:
    global _role  # noqa: PLW0603 - a process has one role, which Celery tells before anything else
    queues = (options or {}).get("queues") or ""
    named = (queues.split(",") if isinstance(queues, str) else [str(queue) for queue in queues]) or [""]
    queue = named[0].rpartition(".")[2] if len(named) == 1 else ""
    _role = queue or sender.partition("@")[0] or "worker"


@setup_logging.connect
def _start_log(**_: Any) -> None:
    start(_role)


@worker_process_init.connect
def _start_log_of_child(**_: Any) -> None:
    start(_role)


@before_task_publish.connect
def _send_ids(sender: str = "", headers: dict[str, Any] | None = None, body: Any = None, **_: Any) -> None:
    """Put the ids that a task acts for into its headers."""
    if headers is not None and body:
        headers.update(zip(HEADERS.get(sender, ()), body[0], strict=False))


@task_prerun.connect
def _enter_task(task_id: str = "", task: Any = None, **_: Any) -> None:
    ids = {name: getattr(task.request, name, None) for name in ("cycle_id", "shard_id")}
    enter(
        {"task_id": task_id, "task": task.name} | {name: str(value) for name, value in ids.items() if value}
    )


@task_postrun.connect
def _leave_task(**_: Any) -> None:
    leave()
