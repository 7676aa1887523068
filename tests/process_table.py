"""Processes by /proc: a look costs a thousandth of what ``ps`` does, so tests can look often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def children(pid: int, word: str) -> list[int]:
    """Return the ids of a process' children whose command holds ``word``."""
    return [child for child in _children(pid) if word in _command(child)]


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below ``pid``."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = set(_children(waiting.pop())) - found
        found |= new
        waiting.extend(new)
    return found


def running(pids: set[int]) -> set[int]:
    """Return those that run; what has ended and waits for its new parent to notice does not."""
    return {pid for pid in pids if _state(pid) not in {None, "Z", "X"}}


def _children(pid: int) -> Iterator[int]:
    for file in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, file.read_text().split())


def _command(pid: int) -> str:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _state(pid: int) -> str | None:
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    return None
