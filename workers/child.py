"""A process that another one started for itself: it ends when that one is gone, and nothing of it is left.

It holds the reading end of a pipe, which closes with its parent, however that ends. It leads a process group
of its own, so that Ctrl-C reaches only the parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from recon.settings import is_supervised, supervised


def end_with_parent(end: Callable[[], object]) -> None:
    """Call ``end`` once the process that started this one as its child is gone; nobody else's is watched."""
    if is_supervised():
        threading.Thread(target=_outlive_nobody, args=(end,), name="supervisor", daemon=True).start()


def _outlive_nobody(end: Callable[[], object]) -> None:
    # os.read, not sys.stdin: a buffer locked by this thread would deadlock a pool's forked children.
    while os.read(0, 1):
        pass
    end()


class Child:
    """One Python process, started on construction. Its words go to ``log``, or where this process' go."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Path | None = None) -> None:
        output = None if log is None else os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # -P: the working directory is the user's, who may keep a workers/ of their own there.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, "-P", *words],
                env=supervised(environment),
                stdin=subprocess.PIPE,
                stdout=sys.stderr.fileno() if output is None else output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            if output is not None:
                os.close(output)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def await_end(self, patience_s: float) -> bool:
        """Wait until it has ended; False where it takes longer."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, patience_s))
        return self.exit_code is not None

    def bury(self) -> None:
        """Make sure that nothing of it is left, its own children included."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
