"""A process that another one started for itself: it ends when that one is gone, and nothing of it is left.

It holds the reading end of a pipe, its standard input, which closes with its parent, however that ends. It
leads a process group of its own, so that Ctrl-C reaches only the parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from recon.settings import is_supervised, supervised

#: Seconds between two looks at a child that is to end.
_LOOK_S = 0.02


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
    """One process: its id, how to ask for its exit code, and the writing end of the pipe that it reads."""

    def __init__(self, pid: int, exit_code: Callable[[], int | None], lifeline: int) -> None:
        self.pid = pid
        self._exit_code = exit_code
        self._lifeline = lifeline

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        return self._exit_code()

    def terminate(self) -> None:
        """Ask it to stop."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGTERM)

    def await_end(self, patience_s: float) -> bool:
        """Wait until it has ended; False where it takes longer."""
        give_up_at = time.monotonic() + patience_s
        while self.exit_code is None and time.monotonic() < give_up_at:
            time.sleep(_LOOK_S)
        return self.exit_code is not None

    def bury(self) -> None:
        """Make sure that nothing of it is left, its own children included."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.exit_code is None:  # one that leads no group yet
            os.kill(self.pid, signal.SIGKILL)
        while self.exit_code is None:
            time.sleep(_LOOK_S)
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def spawned(words: Sequence[str], environment: Mapping[str, str], log: Path | None = None) -> Child:
    """Start a Python with ``words``; what it says goes to ``log``, else where this process' words go."""
    output = None if log is None else os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    held, lifeline = os.pipe()
    try:
        # -P: the working directory is the user's, who may keep a workers/ of their own there.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, "-P", *words],
            env=supervised(environment),
            stdin=held,
            stdout=sys.stderr.fileno() if output is None else output,
            stderr=output,
            start_new_session=True,
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(held)
        if output is not None:
            os.close(output)
    return Child(process.pid, process.poll, lifeline)
