"""Scan one shard: list its ranges side by side, sketch what comes, and say plainly what could not be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from recon.core.lake_clock import correction_s, nearest
from recon.core.marks import Mark, boundaries
from recon.core.sketch import ShardFacts, ShardSketch
from recon.core.sketcher import Sketcher
from recon.errors import LakeError, LakeUnreachableError, ListingOrderError, ReconError
from recon.lanes import PAGES_ALONE, Lanes, Part
from recon.model import Shard
from recon.pace import Pace
from recon.plan import Judgement
from recon.ports import Lister, Page

Clock = Callable[[], datetime]

#: Rows gathered before they are classified: enough to make a batch cheap, few enough to bound memory.
_BATCH_ROWS = 8_192
#: Rows between two marks of a page: fine enough that the next cycle's ranges fill a page each.
_MARK_ROWS = 125
#: Boundaries kept per shard for the next cycle's ranges.
_BOUNDARIES_MAX = 8_192
#: Connections of a cycle's shards together, at least: where shards are few, each has more of them.
_CONNECTIONS = 32


class ShardLateError(ReconError):
    """Raised when a shard ran past its deadline; what it saw tells the next cycle where to cut it finer."""


@dataclass(eq=False)
class _Gathering:
    """What the ranges of one shard have yielded, fed to the sketcher a batch at a time."""

    sketcher: Sketcher
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    requests: int = 0
    marks: list[Mark] = field(default_factory=list)
    skew_s: float | None = None

    def take(self, page: Page) -> list[bytes]:
        """Add a page of a range, classify once enough waits; return the page's marked keys."""
        marks = _marks(page.batch)
        with self.lock:
            self.requests += page.requests
            self.skew_s = nearest((self.skew_s, page.skew_s))
            self.marks.extend(marks)
            self.rows += page.batch.num_rows
            if page.batch.num_rows:
                self.waiting.append(page.batch)
            if self.rows >= _BATCH_ROWS:
                self.flush()
        return [key for key, _ in marks]

    def count(self, requests: int) -> None:
        """Add the requests of a look that yielded no page."""
        with self.lock:
            self.requests += requests

    def flush(self) -> None:
        """Classify everything that waits, in key order: ranges do not overlap."""
        if self.waiting:
            self.waiting.sort(key=lambda batch: batch.column("key")[0].as_py() or b"")
            objects, ahead_s = pa.Table.from_batches(self.waiting), correction_s(self.skew_s)
            self.sketcher.add(objects.combine_chunks(), ascending=True, ahead_s=ahead_s)
        self.waiting, self.rows = [], 0


@dataclass(eq=False)
class _Failures:
    """What went wrong with the ranges of one shard, by their numbers; safe to call from their threads."""

    by_range: dict[int, ReconError] = field(default_factory=dict)
    stop: ReconError | None = None

    def note(self, number: int, error: ReconError) -> None:
        """Keep why a range was not seen whole; stop the shard where the next range would fare no better."""
        self.by_range.setdefault(number, error)
        if isinstance(error, (LakeUnreachableError, ListingOrderError, ShardLateError)):
            self.stop = self.stop or error

    @property
    def out_of_order(self) -> bool:
        """Tell whether the backend's order cannot be trusted: no range of it was seen whole then."""
        return any(isinstance(error, ListingOrderError) for error in self.by_range.values())

    def first(self) -> str | None:
        """Return the failure that says most, for people."""
        error = self.stop or next((error for _, error in sorted(self.by_range.items())), None)
        return None if error is None else str(error)


def scan(lister: Lister, judged: Judgement, shard: Shard, clock: Clock, pace: Pace) -> ShardSketch:
    """Return the sketch of one shard. A failed look is data (``facts.failure``), never an absence."""
    options = judged.plan.options
    started_at = clock()
    sketcher = judged.sketcher()
    gathering = _Gathering(sketcher)
    lanes = Lanes(max(options.connections, _CONNECTIONS // max(1, len(judged.scanned))), pace)
    failures = _Failures()

    def look(part: Part) -> tuple[Part, ...]:
        try:
            if failures.stop is not None:
                raise failures.stop
            return _list(lister, part, gathering, lanes, late if ordered else None)
        except (LakeError, ShardLateError) as error:
            failures.note(part.number, error)
            return ()

    def late() -> bool:
        return (clock() - started_at).total_seconds() > options.shard_deadline_s

    # A prefix that may not be cut is listed to its end: it would be no quicker in the next cycle.
    ordered = judged.plan.ordered
    lanes.run([Part(number, span) for number, span in enumerate(shard.ranges)], look)
    with gathering.lock:
        gathering.flush()
    whole = () if failures.out_of_order else set(range(len(shard.ranges))).difference(failures.by_range)
    return ShardSketch(
        ShardFacts(
            shard_id=shard.id,
            started_at=iso(started_at),
            finished_at=iso(clock()),
            failure=failures.first(),
            requests=gathering.requests,
            objects=sketcher.objects,
            size_bytes=sketcher.size_bytes,
            unexpected=sketcher.unexpected,
            unexpected_by_prefix=sketcher.unexpected_by_prefix,
            unexpected_sample=sketcher.unexpected_sample,
            boundaries=boundaries(gathering.marks, judged.plan.apart, _BOUNDARIES_MAX),
            out_of_order=failures.out_of_order,
            seen=tuple(sorted(whole)) if failures.by_range else (),
            skew_s=gathering.skew_s,
        ),
        sketcher.domains(),
    )


def _list(
    lister: Lister,
    part: Part,
    gathering: _Gathering,
    lanes: Lanes,
    late: Callable[[], bool] | None,
) -> tuple[Part, ...]:
    """List a part; return what is left of it, cut, where it turned out long. What was seen counts anyway."""
    seen: list[bytes] = []
    try:
        with closing(lanes.pace.paced(lister.pages(part.span, ordered=late is not None))) as pages:
            for number, page in enumerate(pages, start=1):
                seen += gathering.take(page)
                if page.more and late is not None and late():
                    raise ShardLateError(
                        f"listing {part.span.prefix.decode(errors='replace')!r} ran past the shard's "
                        "deadline; what it did not see is unknown. The next cycle cuts it finer.",
                    )
                if page.more and seen and number % PAGES_ALONE == 0:
                    left = lanes.cut(part, seen)
                    if left:
                        return left
                    seen = seen[-1:]
    except LakeError as error:
        gathering.count(error.requests)
        raise
    return ()


def _marks(batch: pa.RecordBatch) -> list[Mark]:
    """Return a mark at every so many rows, and at the last one."""
    if not batch.num_rows:
        return []
    last = batch.num_rows - 1
    rows = [*range(_MARK_ROWS - 1, last, _MARK_ROWS), last]
    keys = batch.column("key")
    return [(keys[row].as_py() or b"", row - before) for row, before in zip(rows, [-1, *rows], strict=False)]


def iso(moment: datetime) -> str:
    """Return an instant as ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
