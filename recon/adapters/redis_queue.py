"""The scrapers' priority queues on Redis: plain lists to pop from, and the books beside them.

Keys, under a prefix P (described at the head of ``lua/queue.lua``): ``P:queue:critical``,
``P:queue:high``, ``P:queue:medium``, ``P:queue:low``, ``P:q:body``, ``P:q:meta``, ``P:q:gone``,
``P:q:stats``, ``P:q:lake``; ``P:cycle:fence`` is read.

A consumer needs no more than ``BLPOP P:queue:critical P:queue:high P:queue:medium P:queue:low 2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from recon.model import OutstandingTask, Priority, ScrapeTask
from recon.ports import Broker

#: Outstanding tasks per level at most, ready and popped together.
DEFAULT_CAPS: Mapping[Priority, int] = MappingProxyType(
    {Priority.CRITICAL: 100, Priority.HIGH: 300, Priority.MEDIUM: 400, Priority.LOW: 200},
)
#: New tasks per publication at most.
DEFAULT_MAX_PER_RUN = 1000
#: Seconds a plain consumer has for a task before it may be published again.
DEFAULT_VISIBILITY_S = 900.0
#: Tasks per script: the server stands still while one runs (1,000 tasks: 25 ms).
BATCH = 200

_T = TypeVar("_T")

#: ``state,level,attempts,token,source``: the layout of ``P:q:meta``, as `queue.lua` writes it.
_META = re.compile(rb"([A-Za-z]),([0-3]),(\d+),([^,]*),(.*)", re.DOTALL)


class RedisTaskQueue:
    """A ``TaskQueue`` for one lake under one prefix; every operation is one Lua script per batch."""

    def __init__(
        self,
        broker: Broker,
        *,
        lake: str,
        prefix: str = "recon",
        caps: Mapping[Priority, int] = DEFAULT_CAPS,
        max_per_run: int = DEFAULT_MAX_PER_RUN,
        visibility_s: float = DEFAULT_VISIBILITY_S,
    ) -> None:
        self._broker = broker
        self._lake = lake
        self._caps = [caps[level] for level in Priority]
        self._max_per_run = max_per_run
        self._visibility_ms = round(visibility_s * 1000)
        self._lists = [f"{prefix}:queue:{level.label}" for level in Priority]
        books = [f"{prefix}:q:{name}" for name in ("body", "meta", "gone", "stats", "lake")]
        self._stats_key, self._lake_key = f"{prefix}:q:stats", f"{prefix}:q:lake"
        self._keys = [*self._lists, *books, f"{prefix}:cycle:fence"]

    def claim_lake(self) -> None:
        """Name this lake as the queues' owner; raise ``QueuesTakenError`` when another lake is."""
        self._broker.run("queue_claim", self._keys, [self._lake])

    def outstanding(self, lake: str) -> list[OutstandingTask]:
        """Return this lake's published, unsettled tasks, seen at one instant; ids ascend.

        The body is the one in the list where there is one: what a consumer would get. A record that Redis
        damaged (an append-only file has no checksums) counts as LOW until its task is published again.
        """
        rows: list[bytes] = self._broker.run("queue_outstanding", self._keys, [lake])
        return sorted(
            (_outstanding(*rows[at : at + 5]) for at in range(0, len(rows), 5)),
            key=lambda task: task.id,
        )

    def publish(self, tasks: Sequence[ScrapeTask], *, fence: int) -> dict[str, str]:
        """Publish tasks in their order; return id -> new, duplicate, moved, repaired or deferred.

        One call is one run: beyond ``max_per_run`` new tasks, or a level's cap, tasks are deferred. A task
        whose new level is full stays where it is (duplicate); a popped one cannot move. An id given twice
        has the outcome of its first time.
        """
        outcomes: dict[str, str] = {}
        allowed = self._max_per_run
        for batch in _batches(tasks):
            flat: list[str | bytes | int] = []
            for task in batch:
                flat += [task.id, task.priority.value, task.source, _checked_body(task)]
            words = self._write("queue_publish", fence, [allowed, *self._caps, *flat])
            allowed -= words.count("new")
            _note(outcomes, [task.id for task in batch], words)
        return outcomes

    def revise(self, tasks: Sequence[ScrapeTask], *, fence: int) -> dict[str, str]:
        """Replace bodies of ready tasks at their place (the level stays); return id -> revised or gone."""
        outcomes: dict[str, str] = {}
        for batch in _batches(tasks):
            flat: list[str | bytes | int] = []
            for task in batch:
                flat += [task.id, _checked_body(task)]
            _note(outcomes, [task.id for task in batch], self._write("queue_revise", fence, flat))
        return outcomes

    def withdraw(self, ids: Sequence[str], *, fence: int) -> dict[str, str]:
        """Take tasks out, ready or popped; return id -> withdrawn or unknown."""
        outcomes: dict[str, str] = {}
        for batch in _batches(ids):
            _note(outcomes, batch, self._write("queue_withdraw", fence, batch))
        return outcomes

    def notice_gone(self, ids: Sequence[str], *, fence: int) -> None:
        """Remember when each popped task was first noticed gone, by the server's clock; mend the books."""
        for batch in _batches(ids) if ids else iter([()]):
            self._broker.run("queue_notice", self._keys, [self._lake, fence, *batch])

    def republish(self, ids: Sequence[str], *, fence: int) -> dict[str, str]:
        """Put popped tasks back that were noticed gone ``visibility_s`` ago.

        Returns:
            id -> ``published``, ``waiting`` (in a list, or not gone for long enough), or ``unknown``.
        """
        outcomes: dict[str, str] = {}
        for batch in _batches(ids):
            _note(outcomes, batch, self._write("queue_republish", fence, [self._visibility_ms, *batch]))
        return outcomes

    def depths(self) -> dict[Priority, int]:
        """Return the length of each queue list, what others pushed included."""
        return {level: int(self._broker.command("LLEN", self._lists[level])) for level in Priority}

    def saved(self, timeout_s: float) -> bool | None:
        """Wait until what was written is on the server's disk; False: not in time, None: unknowable."""
        return self._broker.saved(("HINCRBY", self._stats_key, "waited", 1), timeout_s)

    def owner(self) -> str | None:
        """Return the lake that these queues belong to, if any."""
        owner: bytes | None = self._broker.command("GET", self._lake_key)
        return None if owner is None else owner.decode("utf-8", "replace")

    def stats(self) -> dict[str, int]:
        """Return how often tasks were published, moved, repaired, revised, withdrawn and republished."""
        names = ("published", "moved", "repaired", "revised", "withdrawn", "republished")
        counts = self._broker.command("HMGET", self._stats_key, *names)
        return {name: int(count or 0) for name, count in zip(names, counts, strict=True)}

    def _write(self, script: str, fence: int, args: Sequence[str | bytes | int]) -> list[str]:
        words: list[bytes] = self._broker.run(script, self._keys, [self._lake, fence, *args])
        return [word.decode("ascii") for word in words]


def _outstanding(ident: bytes, meta: bytes, body: bytes, ready: bytes, gone: bytes) -> OutstandingTask:
    match = _META.fullmatch(meta)
    return OutstandingTask(
        id=ident.decode("ascii", "replace"),
        priority=Priority(int(match[2])) if match else Priority.LOW,
        source=match[5].decode("utf-8", "replace") if match else "",
        body=body,
        ready=ready == b"1",
        gone_at=datetime.fromtimestamp(float(gone) / 1000, tz=UTC) if gone else None,
    )


def _checked_body(task: ScrapeTask) -> bytes:
    """Return the body; raise ``ValueError`` unless it opens with the task's id, which the scripts rely on."""
    if not task.body.startswith(b'{"id":"%s"' % task.id.encode()):
        raise ValueError(
            f'the body of task {task.id} must open with {{"id":"{task.id}"; got {task.body[:50]!r}'
        )
    return task.body


def _note(outcomes: dict[str, str], ids: Sequence[str], words: Sequence[str]) -> None:
    for ident, word in zip(ids, words, strict=True):
        outcomes.setdefault(ident, word)


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
