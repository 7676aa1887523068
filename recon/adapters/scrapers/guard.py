"""Watches over the scrapers of one ``recon work``: when it is gone, however it went, none of them stays.

A program of its own, which imports nothing of recon: ``python -I -S guard.py MARK FOLDER GRACE_S``. It reads
``+PID`` and ``-PID`` (process groups that begin and end) until its standard input closes. Then it ends the
groups that are left, on Linux also whatever else carries ``MARK`` in its environment; ``FOLDER`` is removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_STEP_S = 0.05


def main(mark: str, folder: str, grace_s: float) -> None:
    """Wait until the worker is gone, then end what it left."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    _signal(groups, mark, signal.SIGTERM)
    give_up = time.monotonic() + grace_s
    while _is_left(groups, mark) and time.monotonic() < give_up:
        time.sleep(_STEP_S)
    _signal(groups, mark, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _signal(groups: set[int], mark: str, number: int) -> None:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in _marked(mark):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _is_left(groups: set[int], mark: str) -> bool:
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, 0)
            return True
    return bool(_marked(mark))


def _marked(mark: str) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
