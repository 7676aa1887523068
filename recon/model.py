"""The nouns that cross floors: frozen, slotted values with no behaviour of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """How urgent a gap is; lower is more urgent, as the queues are popped."""

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def label(self) -> str:
        """Return the lower-case word used in queues, JSON and the CLI."""
        return self.name.lower()


class Verdict(StrEnum):
    """What is known of one expected key in one cycle; each key has exactly one."""

    OK = "ok"
    STALE = "stale"
    SMALL = "small"
    MISSING = "missing"
    NOT_DUE = "not_due"
    KNOWN_ABSENT = "known_absent"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a gap is a gap."""

    MISSING = "missing"
    STALE = "stale"
    SMALL = "small"
    INCOMPLETE = "incomplete"


class Kind(StrEnum):
    """How an expectation can be judged: key by key, by a number, or only by presence."""

    EXACT = "exact"
    COUNTED = "counted"
    ANY = "any"


class Source(StrEnum):
    """How a cycle looked at the lake."""

    LISTING = "listing"
    AWS_INVENTORY = "aws_inventory"
    SAMPLE = "sample"
    CACHE = "cache"


class Stage(StrEnum):
    """How far a cycle is, as its ledger shows."""

    GONE = "gone"  # nothing is known of it: Redis lost its data, or it expired
    FINISHED = "finished"
    OVERTAKEN = "overtaken"  # a newer cycle has begun: this one can publish nothing any more
    PLANNING = "planning"
    LOST = "lost"  # it was begun and never opened, and nobody keeps its lock
    UNSENT = "unsent"  # opened, but its shards may never have been sent out
    SCANNING = "scanning"
    SCANNED = "scanned"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys with ``prefix``, above ``start_after`` (exclusive), up to ``end`` (inclusive; None: open).

    All three are raw UTF-8 bytes relative to the lake's root, compared as bytes.
    """

    prefix: bytes
    start_after: bytes = b""
    end: bytes | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One unit of scanning: a Celery task lists all its ranges, or reads one file of a report.

    It reports one sketch. ``file`` is the file's key where the report is delivered.
    """

    id: str
    ranges: tuple[KeyRange, ...]
    file: str = ""


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard is; ``label`` names, for people, the part of the lake that it lists."""

    label: str
    objects: int = 0
    requests: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ScrapeTask:
    """One unit of work for a scraper: up to ``batch_size`` keys of one data type, partition and reason.

    ``id`` is content-derived (32 hex digits). ``body`` is the wire form (ASCII JSON, ``"id"`` first),
    deterministic per gap revision.
    """

    id: str
    priority: Priority
    source: str
    body: bytes


class TaskState(StrEnum):
    """Where a published task is."""

    READY = "ready"  # in its list
    LEASED = "leased"  # a consumer has it
    MOOT = "moot"  # a consumer has it, and its gap is closed
    COOLING = "cooling"  # waits to be ready again
    CLAIMED = "claimed"  # a consumer says that it is done, or never said anything; to be looked at


@dataclass(frozen=True, slots=True)
class OutstandingTask:
    """A task that the queue holds as published and not settled.

    ``at`` is when its lease ends, when it has cooled, or when it was claimed, by its ``state``. ``token``
    names the lease; '' where a plain consumer popped it. Of a claimed task it says what was claimed: done,
    absent or expired. A popped task is READY until a tick has noticed; then ``in_list`` is False.
    """

    id: str
    priority: Priority
    source: str
    body: bytes
    state: TaskState = TaskState.READY
    attempts: int = 0
    token: str = ""
    at: datetime | None = None
    in_list: bool = True

    @property
    def is_ours(self) -> bool:
        """Return whether no consumer has it: it may be worded anew, or moved."""
        return self.state is TaskState.COOLING or (self.state is TaskState.READY and self.in_list)


class Settlement(StrEnum):
    """What a consumer says of a task."""

    DONE = "done"  # the lake holds it now
    ABSENT = "absent"  # its source has no such data
    FAILED = "failed"  # try again later
    POISON = "poison"  # never try again


@dataclass(frozen=True, slots=True)
class Lease:
    """A task that one consumer has until it settles it, or its lease ends."""

    id: str
    token: str
    priority: Priority
    attempts: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DeadTask:
    """A task that was given up: why, and when."""

    id: str
    priority: Priority
    source: str
    body: bytes
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TickCounts:
    """What time did to the queues since the last tick."""

    ended: int = 0
    promoted: int = 0
    died: int = 0
    adopted: int = 0
    presumed: int = 0
    mended: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that does not stop the cycle; ``where`` is file:line:column or ''."""

    message: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class PublishCounts:
    """What one publication did, by outcome."""

    published: int = 0
    duplicate: int = 0
    moved: int = 0
    suppressed: int = 0
    deferred: int = 0
    unproven: int = 0
    withdrawn: int = 0
    revised: int = 0
    repaired: int = 0
    reopened: int = 0
    held: int = 0
    dead: int = 0
    outstanding: int = 0
