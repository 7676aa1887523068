"""A terminal for tests: run a command on a pseudo-terminal of a given size and return what it wrote there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

RECON = [sys.executable, "-c", "from recon.cli import main; main()"]


@dataclass(frozen=True)
class Shown:
    """What a command left: its exit code, what the terminal got, and what went into a pipe instead."""

    code: int
    terminal: str
    piped: str


def shown(
    folder: Path,
    *words: str,
    columns: int = 100,
    is_piped: str = "",
    environment: Mapping[str, str] | None = None,
) -> Shown:
    """Run ``recon`` in ``folder`` on a terminal; ``is_piped`` names a stream (stdout, stderr) kept off it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    streams: dict[str, int] = {"stdout": theirs, "stderr": theirs}
    if is_piped:
        streams[is_piped] = subprocess.PIPE
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
    told = {**kept, "TERM": "xterm-256color", **(environment or {})}
    child = subprocess.Popen(
        [*RECON, *words],
        cwd=folder,
        # pytest-xdist's processes have a size of their own in the environment: the terminal's is meant.
        env={name: value for name, value in told.items() if name not in {"COLUMNS", "LINES"}},
        stdin=subprocess.DEVNULL,
        **streams,
    )
    os.close(theirs)
    parts: list[bytes] = []
    reader = Thread(target=_read, args=(ours, parts))
    reader.start()
    piped = b"".join(part for part in child.communicate(timeout=100) if part)
    reader.join()
    os.close(ours)
    return Shown(child.returncode, b"".join(parts).decode(), piped.decode())


def answered(folder: Path, answer: str, *words: str) -> Shown:
    """Run ``recon`` with all its streams on a terminal, where ``answer`` and a newline are typed ahead."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
    child = subprocess.Popen(
        [*RECON, *words], cwd=folder, env=kept, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    parts: list[bytes] = []
    reader = Thread(target=_read, args=(ours, parts))
    reader.start()
    child.wait(timeout=100)
    reader.join()
    os.close(ours)
    return Shown(child.returncode, b"".join(parts).decode(), "")


def _read(handle: int, parts: list[bytes]) -> None:
    while True:
        try:
            part = os.read(handle, 65536)
        except OSError:  # the last writer closed it
            return
        if not part:
            return
        parts.append(part)
