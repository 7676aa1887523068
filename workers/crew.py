"""The workers that ``recon run`` starts for its own cycle: one control worker, one scan worker."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from recon.errors import ReconError
from workers.child import Child, spawned

_QUEUES = ("recon.control", "recon.scan")
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: A worker that keeps dying is not started for ever.
_STARTS_MAX = 5
#: Seconds to stop by themselves: their work is done, or given up. Celery takes 2 s to stop an idle pool.
_STOP_S = 0.3


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Have a signal that ends the run wait: a process that nobody has noted yet could not be stopped."""
    came: list[int] = []
    found = {number: signal.getsignal(number) for number in _ENDINGS}
    before = {number: handler for number, handler in found.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda heard, _: came.append(heard))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for heard in came:
            signal.raise_signal(heard)


class CrewLostError(ReconError):
    """Raised when the workers of a run keep dying."""

    may_pass = False


class Crew:
    """Worker processes, started on entry and stopped on exit; their words go to ``log``.

    They get ``give_back_s`` seconds to stop by themselves, and to give back messages that are not this run's.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, *, give_back_s: float = _STOP_S) -> None:
        self._environment = environment
        self._log = log
        self._give_back_s = give_back_s
        self._starts = 0
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            for queue in _QUEUES:
                with _undisturbed():
                    self._children.append(self._started(queue))
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in self._children:
                child.terminate()
            self._await(self._give_back_s)
        finally:  # a second Ctrl-C too
            self._kill()

    def revived(self) -> bool:
        """Start again what died; return whether anything had (``CrewLostError`` if it keeps dying)."""
        dead = [number for number, child in enumerate(self._children) if child.exit_code is not None]
        for number in dead:
            with _undisturbed():
                self._children[number].bury()
                self._children[number] = self._started(_QUEUES[number])
        return bool(dead)

    def _await(self, patience_s: float) -> None:
        give_up = time.monotonic() + patience_s
        for child in self._children:
            child.await_end(give_up - time.monotonic())

    def _kill(self) -> None:
        for child in self._children:
            child.bury()

    def _started(self, queue: str) -> Child:
        self._starts += 1
        if self._starts > len(_QUEUES) + _STARTS_MAX:
            raise CrewLostError(
                f"the workers keep dying; see {self._log}, or run in one process: recon run --inline",
            )
        return spawned(["-m", "workers.member", queue], self._environment, self._log)
