"""The scrapers' priority queues on Redis, as the engine sees them: plain lists to pop from, and books beside.

Keys, under a prefix P: those at the head of ``lua/queue.lua``; ``P:processing:<worker>``, the lists of those
who take tasks by LMOVE, is trimmed.

A consumer needs no more than ``BLPOP P:queue:critical P:queue:high P:queue:medium P:queue:low 2``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from recon.core.lease_calls import RETRIES, Retries
from recon.core.queue_keys import QueueKeys
from recon.model import DeadTask, OutstandingTask, Priority, ScrapeTask, TaskState, TickCounts

if TYPE_CHECKING:  # ports describe Arrow batches; who only looks at queues does without Arrow
    from recon.ports import Broker, TaskResult

#: Outstanding tasks per level at most, ready and out together.
DEFAULT_CAPS: Mapping[Priority, int] = MappingProxyType(
    {Priority.CRITICAL: 100, Priority.HIGH: 300, Priority.MEDIUM: 400, Priority.LOW: 200},
)
#: New tasks per publication at most.
DEFAULT_MAX_PER_RUN = 1000
#: Seconds a plain consumer has for a task before somebody looks whether it was done.
DEFAULT_VISIBILITY_S = 900.0
#: Seconds that a claim is known: longer than any observation that is still used is old.
CLAIMS_KNOWN_S = 3 * 86400.0
#: Seconds that a dead task is kept.
DEAD_KEPT_S = 7 * 86400.0
#: Tasks per script: the server stands still while one runs (1,000 tasks: 25 ms).
BATCH = 200
#: Tasks of each kind that one tick moves.
_TICK = 100

_T = TypeVar("_T")

#: ``state,level,attempts,token,source``: the layout of ``P:q:meta``, as `queue.lua` writes it.
_META = re.compile(rb"([RLMCA]),([0-3]),(\d+),([^,]*),(.*)", re.DOTALL)
_STATES = {
    b"R": TaskState.READY,
    b"L": TaskState.LEASED,
    b"M": TaskState.MOOT,
    b"C": TaskState.COOLING,
    b"A": TaskState.CLAIMED,
}
_DEAD = re.compile(rb"([^\n]*)\n([0-3]),([^\n]*)\n(.*)", re.DOTALL)
_ID = re.compile(rb'\{"id":"([0-9A-Fa-f]+)"')
_STATS = (
    *("published", "moved", "repaired", "revised", "withdrawn", "reopened", "closed", "leased", "released"),
    *("done", "absent", "failed", "poison", "dead", "stray", "requeued"),
)


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
        dead_kept_s: float = DEAD_KEPT_S,
        first_wait_s: float = RETRIES.first_wait_s,
        max_deliveries: int = RETRIES.max_deliveries,
    ) -> None:
        self._broker = broker
        self._lake = lake
        self._caps = [caps[level] for level in Priority]
        self._max_per_run = max_per_run
        self._visibility_ms = round(visibility_s * 1000)
        self._dead_kept_ms = round(dead_kept_s * 1000)
        self._retries = Retries(first_wait_s, max_deliveries=max_deliveries).args
        self._names = QueueKeys(prefix)
        self._keys = self._names.all

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

    def publish(self, tasks: Sequence[ScrapeTask], *, fence: int, observed_at: datetime) -> dict[str, str]:
        """Publish tasks in their order; return id -> outcome, as the port tells.

        One call is one run: beyond ``max_per_run`` new tasks, or a level's cap, tasks are deferred. A task
        whose new level is full stays where it is (duplicate); one that a consumer has cannot move. An id
        given twice has the outcome of its first time.
        """
        outcomes: dict[str, str] = {}
        allowed, observed_ms = self._max_per_run, round(observed_at.timestamp() * 1000)
        for batch in _batches(tasks):
            flat: list[str | bytes | int] = []
            for task in batch:
                flat += [task.id, task.priority.value, task.source, _checked_body(task)]
            told: list[str | bytes | int] = [allowed, *self._caps, observed_ms, self._retries[2], *flat]
            words = self._write("queue_publish", fence, told)
            allowed -= words.count("new")
            _note(outcomes, [task.id for task in batch], words)
        return outcomes

    def revise(self, tasks: Sequence[ScrapeTask], *, fence: int) -> dict[str, str]:
        """Replace bodies of tasks that no consumer has (the level stays); return id -> revised or gone."""
        outcomes: dict[str, str] = {}
        for batch in _batches(tasks):
            told = [value for task in batch for value in (task.id, _checked_body(task))]
            words = self._write("queue_revise", fence, told)
            _note(outcomes, [task.id for task in batch], words)
        return outcomes

    def withdraw(self, ids: Sequence[str], *, fence: int | None) -> dict[str, str]:
        """Take tasks out, wherever they are; return id -> withdrawn, moot or unknown."""
        outcomes: dict[str, str] = {}
        for batch in _batches(ids) if ids else iter([()]):  # with none, the fence is asked all the same
            _note(outcomes, batch, self._write("queue_withdraw", fence, batch))
        return outcomes

    def tick(self) -> TickCounts:
        """Let time pass, and mend the books; return what came of it."""
        times = (self._visibility_ms, round(CLAIMS_KNOWN_S * 1000), self._dead_kept_ms)
        counts = self._broker.run("queue_tick", self._keys, [_TICK, *self._retries, *times])
        self._trim_processing()
        return TickCounts(*map(int, counts))

    def close(self, ids: Sequence[str]) -> dict[str, str]:
        """Let claimed tasks go whose work is there; return id -> closed or gone."""
        outcomes: dict[str, str] = {}
        for batch in _batches(ids):
            _note(outcomes, batch, self._run("queue_close", batch))
        return outcomes

    def reopen(self, tasks: Sequence[ScrapeTask], *, fence: int | None = None) -> dict[str, str]:
        """Send claimed tasks back whose work is not there; return id -> reopened, dead or gone."""
        outcomes: dict[str, str] = {}
        for batch in _batches(tasks):
            told: list[str | bytes | int] = [*self._retries]
            for task in batch:
                told += [task.id, task.priority.value, _checked_body(task)]
            _note(outcomes, [task.id for task in batch], self._write("queue_reopen", fence, told))
        return outcomes

    def results(self, most: int) -> list[bytes]:
        """Return the oldest results, which stay until they are collected."""
        found: list[bytes] = self._broker.command("LRANGE", self._names.results, 0, most - 1)
        return found

    def settle(self, results: Sequence[TaskResult]) -> list[str]:
        """Settle tasks by what consumers said; return settled, late, repeated, taken or unknown for each."""
        outcomes: list[str] = []
        for batch in _batches(results):
            told: list[str | bytes | int] = [*self._retries]
            for result in batch:
                told += [result.id, result.token, result.status.value, "", result.error or "it failed", ""]
            outcomes += self._run("queue_settle", told)
        return outcomes

    @contextmanager
    def turn(self, ttl_s: float) -> Iterator[bool]:
        """Take the only place in which claims are settled; False where another process has it."""
        token = secrets.token_hex(8)
        name = self._names.turn
        taken = self._broker.command("SET", name, token, "NX", "PX", round(ttl_s * 1000)) is not None
        try:
            yield taken
        finally:
            if taken and self._broker.command("GET", name) == token.encode():
                self._broker.command("DEL", name)

    def collect(self, results: Sequence[bytes]) -> None:
        """Take results off their list, each once."""
        for batch in _batches(results):
            self._broker.run("queue_collect", self._keys, batch)

    def dead(self) -> list[DeadTask]:
        """Return the tasks that were given up, the latest first; what is unreadable is left out."""
        rows: list[bytes] = self._broker.run("queue_dead", self._keys, [])
        found = (_dead(*rows[at : at + 3]) for at in range(0, len(rows), 3))
        return [task for task in found if task is not None]

    def requeue(self, ids: Sequence[str]) -> dict[str, str]:
        """Let dead, cooling and claimed tasks begin anew; return id -> requeued, ready, leased or unknown."""
        outcomes: dict[str, str] = {}
        for batch in _batches(ids):
            _note(outcomes, batch, self._run("queue_requeue", [self._lake, *batch]))
        return outcomes

    def limit(self, source: str, *, in_flight: int = 0, interval_s: float = 0.0, burst: int = 1) -> None:
        """Set how many tasks of a source may be leased at once, and how fast; 0 lifts a limit."""
        told: list[str | int] = [source, in_flight, round(interval_s * 1000), max(burst, 1)]
        self._broker.run("queue_limit", self._keys, told)

    def depths(self) -> dict[Priority, int]:
        """Return the length of each queue list, what others pushed included."""
        return {level: int(self._broker.command("LLEN", self._names.lists[level])) for level in Priority}

    def saved(self, timeout_s: float) -> bool | None:
        """Wait until what was written is on the server's disk; False: not in time, None: unknowable."""
        return self._broker.saved(("HINCRBY", self._names.stats, "waited", 1), timeout_s)

    def owner(self) -> str | None:
        """Return the lake that these queues belong to, if any."""
        owner: bytes | None = self._broker.command("GET", self._names.lake)
        return None if owner is None else owner.decode("utf-8", "replace")

    def stats(self) -> dict[str, int]:
        """Return how often tasks were published, leased, claimed to be done, and so on."""
        counts = self._broker.command("HMGET", self._names.stats, *_STATS)
        return {name: int(count or 0) for name, count in zip(_STATS, counts, strict=True)}

    def _trim_processing(self) -> None:
        """Drop what LMOVE users left: copies of tasks that are no longer out."""
        found: set[bytes] = set()
        cursor = 0
        while True:
            cursor, names = self._broker.command(
                "SCAN", cursor, "MATCH", f"{self._names.processing}*", "COUNT", 1000
            )
            found.update(names)
            if not cursor:
                break
        for name in found:
            for body in self._broker.command("LRANGE", name, 0, -1):
                match = _ID.match(body)
                if match and not self._is_out(match[1]):
                    self._broker.command("LREM", name, 1, body)

    def _is_out(self, ident: bytes) -> bool:
        meta: bytes | None = self._broker.command("HGET", self._names.meta, ident)
        return meta is not None and meta[:1] in {b"R", b"L"}

    def _write(self, script: str, fence: int | None, args: Sequence[str | bytes | int]) -> list[str]:
        return self._run(script, [self._lake, "" if fence is None else fence, *args])

    def _run(self, script: str, args: Sequence[str | bytes | int]) -> list[str]:
        words: list[bytes] = self._broker.run(script, self._keys, args)
        return [word.decode("ascii") for word in words]


def _outstanding(ident: bytes, meta: bytes, body: bytes, in_list: bytes, at: bytes) -> OutstandingTask:
    match = _META.fullmatch(meta)
    return OutstandingTask(
        id=ident.decode("ascii", "replace"),
        priority=Priority(int(match[2])) if match else Priority.LOW,
        source=match[5].decode("utf-8", "replace") if match else "",
        body=body,
        state=_STATES[match[1]] if match else TaskState.READY,
        attempts=int(match[3]) if match else 0,
        token=match[4].decode("ascii", "replace") if match else "",
        at=_instant(at) if at else None,
        in_list=in_list == b"1",
    )


def _dead(ident: bytes, at: bytes, text: bytes) -> DeadTask | None:
    match = _DEAD.fullmatch(text)
    if match is None:
        return None
    return DeadTask(
        id=ident.decode("ascii", "replace"),
        priority=Priority(int(match[2])),
        source=match[3].decode("utf-8", "replace"),
        body=match[4],
        reason=match[1].decode("utf-8", "replace"),
        at=_instant(at),
    )


def _instant(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, tz=UTC)


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
