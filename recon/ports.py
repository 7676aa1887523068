"""What the cycle needs from the outside, as small Protocols with their promises in words."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from recon.core.aws_manifest import DataFile, Manifest
from recon.core.inventory_setup import Document
from recon.core.run_outcome import Ended
from recon.model import (
    DeadTask,
    KeyRange,
    Lease,
    OutstandingTask,
    Priority,
    ScrapeTask,
    Settlement,
    ShardProgress,
    Stage,
    TickCounts,
)

#: Columns of every batch a lister yields. Keys are raw bytes (UTF-8 on S3), relative to the lake's root.
_FIELDS: list[pa.Field[pa.DataType]] = [
    pa.field("key", pa.large_binary()),
    pa.field("size", pa.int64()),
    pa.field("mtime", pa.timestamp("ms", tz="UTC")),
]
LISTING_SCHEMA: pa.Schema = pa.schema(_FIELDS)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the lake: a batch (``LISTING_SCHEMA``) and the requests it took (retries included).

    ``more`` tells that the next page costs a wait: a range that goes on may be worth cutting. ``skew_s`` is
    how many seconds this host's clock is ahead of the lake's, as far as answers show; None: they do not.
    """

    batch: pa.RecordBatch
    requests: int
    more: bool = False
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class Folders:
    """One level below a prefix: the child prefixes (ending in ``/``) and the keys directly under it."""

    prefixes: tuple[bytes, ...]
    keys: int
    requests: int


@dataclass(frozen=True, slots=True)
class Order:
    """Whether a range of the lake may begin anywhere; ``detail`` says what speaks against it."""

    may_split: bool
    requests: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One object's content in a file: its size in bytes, its MD5 in hex digits, the requests it took."""

    size: int
    md5: str
    requests: int


class Lister(Protocol):
    """Looks at the lake.

    - A range that ends without an error was seen whole; any doubt raises a ``LakeError``, which carries the
      requests that no page has told.
    - Keys ascend strictly in byte order within a range and lie inside it (unless ``ordered`` is False).
    - Keys are byte-exact. Safe to call from many threads at once.
    """

    def pages(self, span: KeyRange, *, ordered: bool = True) -> Generator[Page]:
        """Yield the objects of ``span``; raise ``LakeError`` where it cannot be seen whole and right."""
        ...

    def folders(self, prefix: bytes) -> Folders:
        """Return the first few pages of one delimiter level below ``prefix``: enough to cut at."""
        ...

    def order(self, prefix: bytes) -> Order:
        """Return whether keys below ``prefix`` come in byte order, from wherever a listing is to begin."""
        ...

    def read(self, key: bytes) -> bytes:
        """Return one object's content (a catalog kept in the lake)."""
        ...

    def look(self, key: bytes) -> Page:
        """Return a page with the object of that key; an empty one where there is provably none."""
        ...

    def fetch(self, key: bytes, file: str) -> Fetched:
        """Write one object's content to ``file``; raise ``LakeError`` where it cannot be had whole."""
        ...


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What the keys in a configuration's reports begin with ("" for all, or unknown), and the GETs taken."""

    prefix: str = ""
    requests: int = 0


class ReportFiles(Protocol):
    """Reads AWS S3 Inventory reports where they are delivered; safe to call from many threads."""

    def folders(self, prefix: bytes) -> Folders:
        """Return the first few pages of one delimiter level below ``prefix``."""
        ...

    def read(self, key: bytes) -> bytes:
        """Return one file's content (a manifest, a checksum)."""
        ...

    def filter_of(self, config_id: str) -> ReportFilter:
        """Return which keys a configuration reports, as far as that may be seen."""
        ...

    def pages(self, manifest: Manifest, file: DataFile, root: bytes) -> Iterator[Page]:
        """Yield the objects below ``root`` that a data file tells of, unsorted, keys relative to it.

        Nothing is yielded before the whole file has shown the size and the MD5 that its manifest tells.

        Raises:
            ReportError: The file is not what its manifest tells, or cannot be read as such.
            LakeError: The file cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns buckets: an account's number, and the partition of its ARNs (``aws``, ``aws-cn`` …)."""

    account: str
    partition: str


class InventoryAdmin(Protocol):
    """Reads and changes how AWS delivers S3 Inventory reports.

    Documents are spelled as AWS's API spells them. A failure is a ``LakeError`` that says which IAM action
    the call takes.
    """

    def owner(self, account: str | None) -> Owner:
        """Return the account of the buckets: the caller's, where none is told."""
        ...

    def configurations(self, bucket: str) -> list[Document]:
        """Return a bucket's inventory configurations."""
        ...

    def policy(self, bucket: str) -> Document | None:
        """Return a bucket's policy, if it has one."""
        ...

    def kms_key(self, bucket: str) -> str | None:
        """Return the KMS key that a bucket encrypts new objects with; None where it uses S3's own."""
        ...

    def put_policy(self, bucket: str, policy: Document) -> None:
        """Replace a bucket's policy."""
        ...

    def put_configuration(self, bucket: str, config: Document) -> None:
        """Put one inventory configuration of a bucket."""
        ...


class Outputs(Protocol):
    """Writes files for other programs; ``put`` is atomic, as the state store's."""

    def put(self, name: str, content: bytes) -> None:
        """Write ``content`` whole under ``name``, replacing what was there."""
        ...


class MetricsRegistry(Protocol):
    """Takes the values of metrics for other programs; a failure is a ``MetricsError``."""

    def update(self, values: Mapping[str, str | int], at: datetime) -> None:
        """Give each metric its value, as verified at ``at``."""
        ...


class StateStore(Protocol):
    """Keeps small files by name (``/``-separated, relative).

    - ``put`` is atomic: a reader sees the old content, or the new one, never a part.
    - A name that was never put reads as None.
    """

    def put(self, name: str, content: bytes) -> None:
        """Write ``content`` whole under ``name``, replacing what was there."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return the content of ``name``, or None."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names that start with ``prefix``, sorted."""
        ...

    def delete(self, prefix: str) -> None:
        """Delete every name that starts with ``prefix``."""
        ...


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a consumer said of a task, with its lease's token ('' for a plain one)."""

    id: str
    status: Settlement
    token: str = ""
    error: str = ""


class TaskQueue(Protocol):
    """The scrapers' priority queues, as the engine sees them.

    - Each call is atomic per task and idempotent: repeating it changes nothing.
    - A task is in one list at most, once; caps bound what is outstanding, never what is wanted.
    - Where a call takes a ``fence``, it is refused (``CycleFencedError``) when a newer cycle has begun.
    - What others push on the lists is neither touched nor counted, but for leases: they take it away.
    - A failure is a ``BrokerError``; what a call had not reached by then is as it was.
    """

    def claim_lake(self) -> None:
        """Name this lake as the queues' owner; raise ``QueuesTakenError`` when another lake is."""
        ...

    def outstanding(self, lake: str) -> list[OutstandingTask]:
        """Return this lake's published, unsettled tasks."""
        ...

    def publish(self, tasks: Sequence[ScrapeTask], *, fence: int, observed_at: datetime) -> dict[str, str]:
        """Publish tasks that the lake was seen to need at ``observed_at``; return id -> outcome.

        new; duplicate; moved (to another level); repaired (what was stored differed); deferred (cap);
        suppressed (claimed to be done since); reopened (claimed before, and not there); dead (given up).
        """
        ...

    def revise(self, tasks: Sequence[ScrapeTask], *, fence: int) -> dict[str, str]:
        """Replace bodies of tasks that no consumer has (the level stays); return id -> revised or gone."""
        ...

    def withdraw(self, ids: Sequence[str], *, fence: int | None) -> dict[str, str]:
        """Take tasks out; return id -> withdrawn, moot (leased: its holder hears of it) or unknown.

        Without a fence it is no cycle that asks, and it is not refused.
        """
        ...

    def tick(self) -> TickCounts:
        """End leases, ready what has cooled, adopt what plain consumers popped, and mend the books.

        A task that a plain consumer popped and said nothing of for the visibility is claimed by it.
        """
        ...

    def close(self, ids: Sequence[str]) -> dict[str, str]:
        """Let claimed tasks go whose work is there; return id -> closed or gone."""
        ...

    def reopen(self, tasks: Sequence[ScrapeTask], *, fence: int | None = None) -> dict[str, str]:
        """Send claimed tasks back whose work is not there, to cool; return id -> reopened, dead or gone."""
        ...

    def results(self, most: int) -> list[bytes]:
        """Return the oldest results that consumers left, which stay until they are collected."""
        ...

    def settle(self, results: Sequence[TaskResult]) -> list[str]:
        """Settle tasks by what consumers said; return settled, late, repeated, taken or unknown for each."""
        ...

    def turn(self, ttl_s: float) -> AbstractContextManager[bool]:
        """Take the only place in which claims are settled, for ``ttl_s`` at most; False where it is taken."""
        ...

    def collect(self, results: Sequence[bytes]) -> None:
        """Take results off their list, each once."""
        ...

    def dead(self) -> list[DeadTask]:
        """Return the tasks that were given up, the latest first."""
        ...

    def requeue(self, ids: Sequence[str]) -> dict[str, str]:
        """Let tasks begin anew; return id -> requeued, ready, leased or unknown."""
        ...

    def depths(self) -> dict[Priority, int]:
        """Return the length of each queue list."""
        ...

    def stats(self) -> dict[str, int]:
        """Return how often tasks were published, leased, said to be done, and so on; of a file, nothing."""
        ...

    def saved(self, timeout_s: float) -> bool | None:
        """Wait until what was written is on the server's disk; False: not in time, None: unknowable."""
        ...


class Leases(Protocol):
    """The scrapers' priority queues, as a careful consumer sees them."""

    def lease(
        self, count: int, *, visibility_s: float, scrapers: Sequence[str] = (), weighted: bool = False
    ) -> list[Lease]:
        """Take up to ``count`` ready tasks, of ``scrapers`` only where any are named, most urgent first.

        ``weighted`` looks at the levels in an order drawn 8:4:2:1, so that low ones are served too.
        """
        ...

    def ready(self) -> list[bytes]:
        """Return a thousand bodies of each level, in the order that they are leased; lease nothing."""
        ...

    def heartbeat(self, leases: Sequence[Lease], *, visibility_s: float) -> dict[str, str]:
        """Extend leases; return id -> extended, lost (another's by now) or cancelled (nobody wants it)."""
        ...

    def settle(
        self,
        lease: Lease,
        status: Settlement,
        *,
        keys: Sequence[str] | None = None,
        error: str = "",
        evidence: str = "",
        delay_s: float | None = None,
    ) -> str:
        """Say what came of a task; return settled, late, repeated, taken or unknown.

        ``keys`` are those it is said of (None: all); a failed task is tried again after ``delay_s``, or as
        the queue's backoff says.
        """
        ...

    def release(self, leases: Sequence[Lease], *, delay_s: float = 0.0) -> dict[str, str]:
        """Give tasks back undone, their attempt refunded; return id -> released, cancelled or lost."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the arguments, where, what its environment adds, and for how long at most.

    ``keys_file`` gets the lines ``keys`` before it starts, ``result_file`` is read when it is over.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    timeout_s: float
    keys_file: str = ""
    keys: tuple[str, ...] = ()
    result_file: str = ""


class Process(Protocol):
    """One running scraper, with everything that it started."""

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and end it when it has not in time; return at once."""
        ...


class Processes(Protocol):
    """Runs scrapers; none outlives this process, however that ends."""

    @property
    def folder(self) -> str:
        """Return where the files of runs go."""
        ...

    def start(self, command: Command, ended: Callable[[Ended], None]) -> Process:
        """Start a process; ``ended`` is told once, from another thread.

        Raises:
            CannotStartError: Its program, or its folder, cannot be used.
            ArgumentsTooLongError: The system takes no arguments of that length.
        """
        ...


class Broker(Protocol):
    """Speaks to Redis for the adapters that keep their keys there.

    - Every failure arrives as a ``BrokerError`` that says the next step; a script's refusal of an old fence
      as ``CycleFencedError``.
    - Replies are raw: bytes, int, None, and lists (or dicts) of them. Safe to call from many threads.
    """

    def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run one Lua script of ``recon/adapters/lua`` by its name, as one atomic step."""
        ...

    def command(self, *parts: str | bytes | int) -> Any:
        """Run one Redis command."""
        ...

    def saved(self, write: Sequence[str | bytes | int], timeout_s: float) -> bool | None:
        """Run one write and wait until it is on the server's disk; False: not in time, None: unknowable."""
        ...


class Ledger(Protocol):
    """The truth about one cycle's progress, beside the chord; every operation is idempotent.

    ``acquire`` raises ``CycleLockedError`` while another cycle holds the lock; the fence it returns grows
    with every cycle, and stays the same for one cycle. A cycle that a newer one overtook, or that has
    finished, gets ``CycleFencedError``.
    """

    def acquire(self, cycle_id: str, flags: str = "") -> int:
        """Take the cycle lock; return the fence. With ``flags``, the watchdog looks after the cycle."""
        ...

    def hold(self, cycle_id: str, holder: str = "", lease_s: float = ...) -> AbstractContextManager[None]:
        """Renew the lock, and the final step's lease of ``holder``, in the background during the block."""
        ...

    def release(self, cycle_id: str) -> None:
        """Give the lock back if this cycle still holds it."""
        ...

    def open(self, cycle_id: str, shard_ids: Sequence[str], now: datetime) -> None:
        """Register the shards that must report before the cycle can finish."""
        ...

    def dispatched(self, cycle_id: str, shard_ids: Sequence[str]) -> None:
        """Remember that these shards were sent out (again) just now; ``open`` counts as the first time."""
        ...

    def overdue(self, cycle_id: str, deadline_s: float) -> list[str]:
        """Return the shards that have not reported and were last sent out longer than ``deadline_s`` ago."""
        ...

    def forsaken(self, cycle_id: str, deadline_s: float) -> list[str]:
        """Return the shards that are overdue though they were sent out again, where nobody is at work."""
        ...

    def done(self, cycle_id: str, shard_id: str, ref: str) -> int:
        """Record a shard's result (the first writer wins); return how many remain.

        Raises ``LedgerLostError`` when the ledger of this cycle is gone: 0 would mean that it is complete.
        """
        ...

    def refs(self, cycle_id: str) -> dict[str, str]:
        """Return shard id -> ref of every shard that has reported."""
        ...

    def remaining(self, cycle_id: str) -> list[str]:
        """Return the shards that have not reported."""
        ...

    def finish(self, cycle_id: str, holder: str, lease_s: float) -> bool:
        """Take the final step with a lease; False while another holder's lease runs, or when it is done."""
        ...

    def finished(self, cycle_id: str) -> None:
        """Mark the cycle as finished for good and give its lock back."""
        ...

    def current(self) -> str | None:
        """Return the id of the cycle that holds the lock, if any."""
        ...

    def open_cycles(self) -> list[str]:
        """Return the cycles begun with flags, or opened, that have not finished; the longest silent first."""
        ...

    def stage(self, cycle_id: str) -> Stage:
        """Return how far a cycle is."""
        ...

    def awaits(self, cycle_id: str, shard_id: str) -> bool:
        """Tell whether a shard's result is still wanted: it has not reported, and its cycle goes on."""
        ...

    def flags(self, cycle_id: str) -> str | None:
        """Return the flags that a cycle was begun, or is to begin, with."""
        ...

    def schedule(self, cycle_id: str, flags: str, delay_s: float) -> bool:
        """Note that a cycle is to begin later, unless another does before; False when noted already."""
        ...

    def due(self, again_s: float) -> list[str]:
        """Return the noted cycles whose time has come; named again after ``again_s`` until one has begun."""
        ...

    def following(self, cycle_id: str) -> AbstractContextManager[None]:
        """Note, while the block runs, that something still follows a cycle that has finished; never fails."""
        ...

    def is_followed(self, cycle_id: str) -> bool:
        """Tell whether something still follows a finished cycle."""
        ...

    def take_slot(self, every_s: float) -> bool:
        """Take the interval of ``every_s`` that is now, by the ledger's clock; True for one caller only."""
        ...

    def record_overlap(self) -> None:
        """Count a firing that was skipped because a cycle was still running (``skipped_overlap``)."""
        ...

    def stats(self) -> dict[str, int]:
        """Return the counters: ``skipped_overlap``."""
        ...

    def note_consumed(self, worker: str, now: datetime) -> None:
        """Note that a worker of this kind (``control``, ``scan``) took up a task: progress, not mere life."""
        ...

    def consumed(self) -> dict[str, datetime]:
        """Return when each kind of worker last took up a task."""
        ...


class ProgressBoard(Protocol):
    """Where the shards of a cycle say how far they are, for whoever watches.

    Never the truth, which is the ledger's: a board that fails (``BrokerError``) or forgets changes no result.
    """

    def put(self, cycle_id: str, shard_id: str, progress: ShardProgress) -> None:
        """Say how far a shard is; the last word counts."""
        ...

    def read(self, cycle_id: str) -> dict[str, ShardProgress]:
        """Return shard id -> progress of every shard that was begun."""
        ...
