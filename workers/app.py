"""The Celery app: ``celery -A workers.app worker -Q recon.control``, ``… -Q recon.scan``, ``… beat``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery, Task
from celery.signals import beat_init, worker_init

from recon import access
from recon.errors import ReconError
from recon.masking import masker
from recon.settings import is_supervised, secrets_of
from workers import logs  # noqa: F401 - it waits for signals of Celery
from workers.allocation import share_one_heap
from workers.child import end_with_parent
from workers.schedule import HOUSEKEEPING

#: Header tasks are retried later than the broker's own claim on a lost message (6 s).
RETRY_DELAY_S = 8
#: A process whose supervisor is gone gets this long to end what it does.
_STOP_S = 15.0
#: A task that kills its worker is given up after this many deliveries; the watchdog starts the shard again.
MAX_RETRIES = 3

_Function = TypeVar("_Function", bound=Callable[..., Any])

share_one_heap()


class TaskFailedError(ReconError):
    """Raised in place of an exception whose words hold a secret: Celery tells of what a task raised."""


class MaskedTask(Task):  # type: ignore[type-arg]
    """A task whose exceptions reach results, events and Flower without secrets."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task."""
        try:
            return self.run(*args, **kwargs)
        except Exception as error:
            said = str(error)
            shown = masker(secrets_of(access.settings()))(said)
            if shown == said:
                raise
            raise TaskFailedError(f"{type(error).__name__}: {shown}") from None


app = Celery("recon", amqp="workers.shown_arguments:Messages", task_cls=MaskedTask)
app.config_from_object("workers.celery_config")


def task(*, name: str, queue: str) -> Callable[[_Function], Any]:
    """Register a task. Options are spelt out here, because Celery accepts misspelled ones silently."""
    return app.task(
        name=name,
        queue=queue,
        ignore_result=True,
        send_events=name not in HOUSEKEEPING,
        acks_late=True,
        reject_on_worker_lost=True,
        max_retries=MAX_RETRIES,
        default_retry_delay=RETRY_DELAY_S,
    )


@beat_init.connect
@worker_init.connect
def _worker_stops_with_the_supervisor(**_: Any) -> None:
    stop_with_the_supervisor()


def stop_with_the_supervisor() -> None:
    """Have this process stop once the one that started it, with a pipe as standard input, is gone."""
    end_with_parent(_end)


@worker_init.connect
def _be_at_work(**_: Any) -> None:
    """Let the next run see that this worker lives; the pool's children inherit that."""
    chosen = access.settings()
    if chosen.broker is not None:
        return
    attendance = access.attendance(chosen)
    if is_supervised():
        attendance.join_crew()
    else:
        attendance.join()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_S)
    os._exit(1)
