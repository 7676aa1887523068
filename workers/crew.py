"""The workers that ``recon run`` starts for its own cycle: one control worker, one scan worker.

Each holds the reading end of a pipe; when this process is gone, the pipe closes and the worker stops. Each
leads a process group of its own, so that Ctrl-C reaches only this process, and nothing of them is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from recon.errors import ReconError
from recon.settings import supervised

_QUEUES = ("recon.control", "recon.scan")
#: A worker that keeps dying is not started for ever.
_STARTS_MAX = 5
#: Seconds to stop by themselves: their work is done, or given up. Celery takes 2 s to stop an idle pool.
_STOP_S = 0.3


class CrewLostError(ReconError):
    """Raised when the workers of a run keep dying."""

    may_pass = False


class Crew:
    """Worker processes, started on entry and stopped on exit; their words go to ``log``.

    They get ``give_back_s`` seconds to stop by themselves, and to give back messages that are not this run's.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, *, give_back_s: float = _STOP_S) -> None:
        self._environment = supervised(environment)
        self._log = log
        self._give_back_s = give_back_s
        self._starts = 0
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._children.extend(self._started(queue) for queue in _QUEUES)
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
        dead = [number for number, child in enumerate(self._children) if child.poll() is not None]
        for number in dead:
            self._bury(self._children[number])
            self._children[number] = self._started(_QUEUES[number])
        return bool(dead)

    def _await(self, patience_s: float) -> None:
        give_up = time.monotonic() + patience_s
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, give_up - time.monotonic()))

    def _kill(self) -> None:
        for child in self._children:
            self._bury(child)

    @staticmethod
    def _bury(child: subprocess.Popen[bytes]) -> None:
        """Make sure that nothing of a worker is left, its pool's children included."""
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin is not None:
            child.stdin.close()

    def _started(self, queue: str) -> subprocess.Popen[bytes]:
        self._starts += 1
        if self._starts > len(_QUEUES) + _STARTS_MAX:
            raise CrewLostError(
                f"the workers keep dying; see {self._log}, or run in one process: recon run --inline",
            )
        # -P: the working directory is the user's, who may keep a workers/ of their own there.
        with self._log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "workers.member", queue],
                env=self._environment,
                stdin=subprocess.PIPE,  # closes with this process, however it ends: the worker then stops
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
