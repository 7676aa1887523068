"""The command line called in this process, as a terminal would start it: a new interpreter takes a second."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from recon.cli import main

_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def called(folder: Path, words: tuple[str, ...], environment: Mapping[str, str] | None = None) -> Done:
    """Run one command in ``folder``, with nothing of this machine's settings in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
    out, err = _stream("strict"), _stream("backslashreplace")
    code: object = 0
    with (
        chdir(folder),
        patch.dict(os.environ, {**kept, **(environment or {})}, clear=True),
        patch.object(sys, "argv", ["recon", *words]),
        _own_signals(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return Done(code, _text(out), _text(err))


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, newline="")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


@contextmanager
def _own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _CAUGHT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
