"""How far a cycle is, in the numbers that people watch: rates, what is left, and which shard holds it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from recon.model import KeyRange, Shard, ShardProgress


class Phase(StrEnum):
    """What a run does at the moment, as it is shown."""

    SAMPLE = "making the sample lake"
    STARTING = "starting workers"
    WAITING = "waiting for a worker"
    PLANNING = "planning"
    SCANNING = "scanning"
    CONCLUDING = "comparing and publishing"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a cycle is.

    ``eta_s`` (of the scan) is None until a shard is done; ``oldest`` is '' when none runs.
    """

    phase: Phase
    done: int = 0
    planned: int = 0
    objects: int = 0
    requests: int = 0
    objects_per_s: float = 0.0
    eta_s: float | None = None
    oldest: str = ""
    oldest_s: float = 0.0


#: Is told how far a cycle is, again and again.
Progress = Callable[[RunProgress], None]


class ScanWatch:
    """Turns what the shards say into ``RunProgress``, look after look; remembers when each was first seen."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def so_far(self, seen: Mapping[str, ShardProgress], done: int, planned: int, now_s: float) -> RunProgress:
        """Return how far the scan is at ``now_s`` (any clock that does not go back)."""
        for shard_id in seen:
            self._since.setdefault(shard_id, now_s)
        running = {name: self._since[name] for name, said in seen.items() if not said.ended}
        oldest = min(running, key=lambda name: (running[name], name), default=None)
        objects = sum(said.objects for said in seen.values())
        elapsed_s = now_s - min(self._since.values(), default=now_s)
        return RunProgress(
            Phase.SCANNING if done < planned else Phase.CONCLUDING,
            done,
            planned,
            objects,
            sum(said.requests for said in seen.values()),
            objects / elapsed_s if elapsed_s > 0 else 0.0,
            elapsed_s * (planned - done) / done if done else None,
            "" if oldest is None else seen[oldest].label,
            0.0 if oldest is None else now_s - running[oldest],
        )


def shard_label(shard: Shard) -> str:
    """Return the part of the lake a shard lists, for people: where it begins, and how many ranges follow."""
    if not shard.ranges:
        return shard.id
    more = f" and {len(shard.ranges) - 1} more" if len(shard.ranges) > 1 else ""
    return f"{_start(shard.ranges[0])}{more}"


def _start(span: KeyRange) -> str:
    if span.start_after:
        return f"after {_printable(span.start_after)}"
    return _printable(span.prefix) or "the whole lake"


def _printable(key: bytes) -> str:
    text = key.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
