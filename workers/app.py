"""The Celery app: ``celery -A workers.app worker -Q recon.control``, ``… -Q recon.scan``, ``… beat``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery

#: Header tasks are retried later than the broker's own claim on a lost message (6 s).
RETRY_DELAY_S = 8
#: A task that kills its worker is given up after this many deliveries; the watchdog starts the shard again.
MAX_RETRIES = 3

_Function = TypeVar("_Function", bound=Callable[..., Any])

app = Celery("recon")
app.config_from_object("workers.celery_config")


def task(*, name: str, queue: str, ignore_result: bool = True) -> Callable[[_Function], Any]:
    """Register a task. Options are spelt out here, because Celery accepts misspelled ones silently."""
    return app.task(
        name=name,
        queue=queue,
        ignore_result=ignore_result,
        acks_late=True,
        reject_on_worker_lost=True,
        max_retries=MAX_RETRIES,
        default_retry_delay=RETRY_DELAY_S,
    )
