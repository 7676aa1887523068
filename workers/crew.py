"""The workers that ``recon run`` starts for its own cycle: one control worker, one scan worker.

Each holds the reading end of a pipe; when this process is gone, the pipe closes and the worker stops.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from recon.errors import ReconError
from recon.settings import supervised

#: Threads of the scan worker: they wait on the network most of the time.
SCAN_THREADS = 16
_ROLES = (
    ("-Q", "recon.control", "-P", "prefork", "-c", "1", "-n", "control@%h"),
    ("-Q", "recon.scan", "-P", "threads", "-c", str(SCAN_THREADS), "-n", "scan@%h"),
)
#: A worker that keeps dying is not started for ever.
_STARTS_MAX = 5
_STOP_S = 15.0


class CrewLostError(ReconError):
    """Raised when the workers of a run keep dying."""


class Crew:
    """Worker processes, started on entry and stopped on exit; their words go to ``log``."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = supervised(environment)
        self._log = log
        self._starts = 0
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._children = [self._started(role) for role in _ROLES]
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.terminate()
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def revived(self) -> bool:
        """Start again what died; return whether anything had (``CrewLostError`` if it keeps dying)."""
        dead = [number for number, child in enumerate(self._children) if child.poll() is not None]
        for number in dead:
            self._children[number] = self._started(_ROLES[number])
        return bool(dead)

    def _started(self, role: tuple[str, ...]) -> subprocess.Popen[bytes]:
        self._starts += 1
        if self._starts > len(_ROLES) + _STARTS_MAX:
            raise CrewLostError(
                f"the workers keep dying; see {self._log}, or run in one process: recon run --inline",
            )
        celery = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-l", "WARNING"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with self._log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*celery, *quiet, *role],
                env=self._environment,
                stdin=subprocess.PIPE,  # closes with this process, however it ends: the worker then stops
                stdout=output,
                stderr=output,
            )
