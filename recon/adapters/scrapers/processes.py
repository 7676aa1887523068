"""Scrapers as processes: each leads a session of its own, and nothing that it started is left afterwards.

What it owns outside: process groups, their pipes, and a temporary folder ``recon-work-*`` for runs' files.
"""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import IO, Self

from recon.adapters.scrapers import guard
from recon.core.run_outcome import Ended
from recon.errors import ArgumentsTooLongError, CannotStartError
from recon.masking import masked_values
from recon.ports import Command

#: Seconds between SIGTERM and SIGKILL.
GRACE_S = 5.0
#: Bytes kept of the end of each stream, and read of a result file.
TAIL_BYTES = 4096
RESULTS_BYTES = 16 * 1024 * 1024
#: In the environment of every scraper: how the guard knows what belongs to this worker.
MARK = "RECON_WORK"
_STEP_S = 0.02


class ScraperProcesses:
    """Starts scrapers in ``environment``; on leaving the block, all that still run are killed.

    ``secrets_of`` are texts that no tail of a scraper's output may show.
    """

    def __init__(
        self, environment: Mapping[str, str], *, secret_texts: tuple[str, ...] = (), grace_s: float = GRACE_S
    ) -> None:
        self._mark = f"{MARK}={secrets.token_hex(8)}"
        self._environment = {**environment, MARK: self._mark.partition("=")[2]}
        self._secret_texts = secret_texts
        self._grace_s = grace_s
        self._folder = ""
        self._guard: subprocess.Popen[str] | None = None
        self._lock = Lock()
        self._running: set[_Process] = set()

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="recon-work-")
        program = [sys.executable, "-I", "-S", str(guard.__file__)]
        self._guard = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*program, self._mark, self._folder, str(self._grace_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(BrokenPipeError):
                self._guard.stdin.close()
            self._guard.wait()

    @property
    def folder(self) -> str:
        """Return where the files of runs go."""
        return self._folder

    def start(self, command: Command, ended: Callable[[Ended], None]) -> _Process:
        """Start a process, as ``recon.ports.Processes`` promises."""
        if command.keys_file:
            Path(command.keys_file).write_text(
                "".join(f"{line}\n" for line in command.keys), encoding="utf-8"
            )
        try:
            child = subprocess.Popen(  # noqa: S603 - the command is the configuration's, its values are arguments
                command.argv,
                cwd=command.cwd,
                env={**self._environment, **command.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            _remove(command)
            raise _cannot_start(command, error) from error
        self._tell_guard("+", child.pid)
        process = _Process(child, command, self._grace_s)
        with self._lock:
            self._running.add(process)
        Thread(target=self._watch, args=(process, ended), daemon=True).start()
        return process

    def kill(self) -> None:
        """End everything that runs, at once."""
        with self._lock:
            running = list(self._running)
        for process in running:
            process.kill()

    def _watch(self, process: _Process, ended: Callable[[Ended], None]) -> None:
        outcome = process.outcome(self._secret_texts)
        self._tell_guard("-", process.pid)
        with self._lock:
            self._running.discard(process)
        ended(outcome)

    def _tell_guard(self, sign: str, pid: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with self._lock, suppress(OSError, ValueError):
                self._guard.stdin.write(f"{sign}{pid}\n")
                self._guard.stdin.flush()


class _Process:
    """One process group: its leader, what is kept of its output, and how it is made to end."""

    def __init__(self, child: subprocess.Popen[bytes], command: Command, grace_s: float) -> None:
        self._child = child
        self._command = command
        self._grace_s = grace_s
        self._stopped = False
        self._is_over = False
        self._timer: Timer | None = None
        self._tails = [_Tail(stream) for stream in (child.stderr, child.stdout) if stream is not None]

    @property
    def pid(self) -> int:
        """Return the leader's process id, which is the group's."""
        return self._child.pid

    def stop(self) -> None:
        """Send SIGTERM to the whole group now, and SIGKILL when the grace is over."""
        if self._child.returncode is None:
            self._stopped = True
        self._end()

    def kill(self) -> None:
        """Send SIGKILL to the whole group now."""
        if not self._is_over:
            _signal(self.pid, signal.SIGKILL)

    def outcome(self, secret_texts: tuple[str, ...]) -> Ended:
        """Wait until it is over, and return how it ended."""
        timed_out = False
        try:
            status = self._child.wait(self._command.timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            self._end()
            status = self._child.wait()
        self._bury()
        results = _results(self._command.result_file)
        _remove(self._command)
        said = next((text for text in (tail.text() for tail in self._tails) if text.strip()), "")
        return Ended(
            status,
            self._command.timeout_s,
            stopped=self._stopped,
            timed_out=timed_out,
            tail=masked_values(said, secret_texts),
            results=results,
        )

    def _end(self) -> None:
        if not self._is_over:
            _signal(self.pid, signal.SIGTERM)
            self._timer = Timer(self._grace_s, self.kill)
            self._timer.daemon = True
            self._timer.start()

    def _bury(self) -> None:
        """Make sure that nothing of the group is left: what the leader started gets the grace too."""
        give_up = time.monotonic() + self._grace_s
        left = _signal(self.pid, signal.SIGTERM)
        while left and time.monotonic() < give_up:
            time.sleep(_STEP_S)
            left = _signal(self.pid, 0)
        if left:
            _signal(self.pid, signal.SIGKILL)
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()


class _Tail:
    """Reads a pipe to its end, in a thread of its own, and keeps the last bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Return the end of what was written; what left the group and still writes is not waited for."""
        self._reader.join(timeout=1.0)
        return self._kept.decode("utf-8", "replace")

    def _read(self) -> None:
        with self._stream:
            while piece := os.read(self._stream.fileno(), 65536):
                self._kept = (self._kept + piece)[-TAIL_BYTES:]


def _signal(group: int, number: int) -> bool:
    """Signal a process group; return whether any of it was there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _cannot_start(command: Command, error: OSError) -> CannotStartError | ArgumentsTooLongError:
    program = command.argv[0]
    if error.errno == errno.E2BIG:
        return ArgumentsTooLongError(
            "its arguments are longer than the system takes; hand the keys over in {keys_file}, or set "
            "limits.items"
        )
    if not Path(command.cwd).is_dir():
        return CannotStartError(f"cannot start {program}: its cwd {command.cwd} is no folder on this host")
    return CannotStartError(
        f"cannot start {program}: {error.strerror}. Next: install it here, or name its path in scrapers"
    )


def _results(file: str) -> str:
    if not file:
        return ""
    try:
        with Path(file).open("rb") as lines:
            return lines.read(RESULTS_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _remove(command: Command) -> None:
    for file in filter(None, (command.keys_file, command.result_file)):
        with suppress(OSError):
            Path(file).unlink()
