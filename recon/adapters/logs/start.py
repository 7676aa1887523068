"""Starts the log of a process: where its lines go, from which level on, and what no line may show."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TextIO

from recon.adapters.logs.lines import ContextFilter, lines
from recon.masking import masker

#: Libraries whose finest words tell requests with their signatures and tokens.
_TALKATIVE = ("apprise", "asyncio", "amqp", "boto3", "botocore", "kombu", "s3transfer", "urllib3")
_log = logging.getLogger("recon")


class Stderr(Enum):
    """What standard error is to a process: the log of a service, or words for people."""

    SERVICE = "service"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class LogChoice:
    """How to log. Without a ``folder`` there are no files; ``secrets`` are shown nowhere."""

    level: str
    format: str
    folder: Path | None
    size_bytes: int
    backups: int
    secrets: tuple[str, ...] = field(repr=False)


def start_logging(role: str, choice: LogChoice, stderr: Stderr) -> None:
    """Log as chosen from now on; called again (in a forked child, after new settings) it begins anew.

    A service writes to standard error; with a folder, only warnings, and everything to ``<role>.log`` there.
    Commands for people show warnings only, as bare words. A folder that cannot be used is a warning.
    """
    mask, problem = masker(choice.secrets), ""
    shown = _shown(choice, stderr)
    shown.setFormatter(lines("%(message)s" if stderr is Stderr.PEOPLE else choice.format, mask))
    handlers = [shown]
    if choice.folder is not None:
        try:
            handlers.append(_file(role, choice.folder, choice))
            handlers[-1].setFormatter(lines(choice.format, mask))
        except OSError as error:
            why = error.strerror or error
            problem = f"no log is written to {choice.folder}: {why}. Next: check logging.output_dir"
            shown.setLevel(logging.WARNING if stderr is Stderr.PEOPLE else logging.NOTSET)
    _install(handlers, ContextFilter(role), choice.level)
    if stderr is Stderr.SERVICE:
        _catch_what_nobody_caught()
    if problem:
        _log.warning(problem)


def keep_small(file: Path, size_bytes: int, backups: int) -> None:
    """Move a file that has grown too long aside, as ``.1``, ``.2`` …, where nobody writes to it yet."""
    if not file.exists() or file.stat().st_size < size_bytes:
        return
    kept = [file.with_name(f"{file.name}.{number}") for number in range(1, backups + 1)]
    for newer, older in reversed(list(zip([file, *kept], kept, strict=False))):
        if newer.exists():
            newer.replace(older)
    if not kept:
        file.unlink()


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is by then: a progress bar puts itself in its place."""

    @property
    def stream(self) -> TextIO:
        """Return standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


def _shown(choice: LogChoice, stderr: Stderr) -> logging.Handler:
    shown = _StandardError()
    if stderr is Stderr.PEOPLE or choice.folder is not None:
        shown.setLevel(logging.WARNING)
    return shown


def _file(role: str, folder: Path, choice: LogChoice) -> logging.Handler:
    from recon.adapters.logs.rotated_file import RotatedFile  # noqa: PLC0415 - takes 0.2 s, and few log to files

    folder.mkdir(parents=True, exist_ok=True)
    return RotatedFile(folder / f"{role}.log", choice.size_bytes, choice.backups)


def _install(handlers: list[logging.Handler], context: logging.Filter, level: str) -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if any(isinstance(f, ContextFilter) for f in one.filters)]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        handler.addFilter(context)
        root.addHandler(handler)
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))


def _catch_what_nobody_caught() -> None:
    """Have warnings and uncaught exceptions logged, and so masked, instead of printed."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, Exception):
        _log.critical("this process ends: nobody expected this", exc_info=(kind, error, trace))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and issubclass(told.exc_type, Exception):
        where = told.thread.name if told.thread else "a thread"
        _log.critical(
            "%s ends: nobody expected this",
            where,
            exc_info=(told.exc_type, told.exc_value, told.exc_traceback),
        )
