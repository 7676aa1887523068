"""Who is at work on one state folder: processes that hold a lock file for as long as they live.

Owns ``<state>/at-work.lock``, held by whoever drives a cycle and by workers that nobody supervises, and
``<state>/crew.lock``, held by the workers that a run started for itself; and ``<state>/daemon.lock``, held by
the daemon. The kernel frees a lock once the
last process that holds it is gone, forked children included: a lock that can be had proves that nobody is
left. It proves that of this host alone, so only what an embedded broker serves, which no
other host reaches, may rely on it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

#: Seconds between two looks at the lock of a crew that is ending.
_POLL_S = 0.05


class Attendance:
    """One process' place among those that work on a state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}

    def alone(self, patience_s: float) -> bool:
        """Tell whether nobody else is at work; True keeps everybody out until ``join`` or ``leave``.

        A crew whose run is gone ends by itself: it gets ``patience_s`` seconds.
        """
        if not self._take("at-work", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
        give_up_at = time.monotonic() + patience_s
        while not self._take("crew", fcntl.LOCK_EX | fcntl.LOCK_NB):
            if time.monotonic() > give_up_at:
                self._let_go("at-work")
                return False
            time.sleep(_POLL_S)
        return True

    def join(self) -> None:
        """Be at work until ``leave``, or until this process and what it forks are gone."""
        self._take("at-work", fcntl.LOCK_SH)
        self._let_go("crew")

    def join_crew(self) -> None:
        """Be at work for the run that started this process, likewise."""
        self._take("crew", fcntl.LOCK_SH)

    def reign(self) -> bool:
        """Be the folder's only daemon until ``leave``; False where there is one."""
        return self._take("daemon", fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave(self) -> None:
        """Be at work no longer."""
        for name in list(self._files):
            self._let_go(name)

    def _take(self, name: str, how: int) -> bool:
        """Take one lock, or change how it is held; False where it is wanted at once and cannot be had."""
        if name not in self._files:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._files[name] = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._files[name], how)
        except BlockingIOError:
            return False
        return True

    def _let_go(self, name: str) -> None:
        if name in self._files:
            os.close(self._files.pop(name))
