"""Scan one shard: list its ranges side by side, sketch what comes, and say plainly what could not be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from recon.core.sketch import ShardFacts, ShardSketch
from recon.core.sketcher import Sketcher
from recon.errors import LakeError, ListingOrderError, ReconError
from recon.model import KeyRange, Shard
from recon.plan import Judgement
from recon.ports import Lister

Clock = Callable[[], datetime]

#: Rows gathered before they are classified: enough to make a batch cheap, few enough to bound memory.
_BATCH_ROWS = 16_384
#: Page boundaries kept per shard for the next cycle's ranges.
_BOUNDARIES_MAX = 4_096


class ShardLateError(ReconError):
    """Raised when a shard ran past its deadline; the watchdog starts it again."""


@dataclass(eq=False)
class _Gathering:
    """What the ranges of one shard have yielded, fed to the sketcher a batch at a time."""

    sketcher: Sketcher
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    rows: int = 0
    requests: int = 0
    boundaries: list[bytes] = field(default_factory=list)

    def take(self, batches: list[pa.RecordBatch], requests: int, boundaries: list[bytes]) -> None:
        """Add the ascending batches of one stretch of a range; classify once enough wait."""
        with self.lock:
            self.requests += requests
            self.boundaries.extend(boundaries)
            self.waiting.extend(batch for batch in batches if batch.num_rows)
            self.rows += sum(batch.num_rows for batch in batches)
            if self.rows >= _BATCH_ROWS:
                self.flush()

    def flush(self) -> None:
        """Classify everything that waits, in key order: ranges do not overlap."""
        if self.waiting:
            self.waiting.sort(key=lambda batch: batch.column("key")[0].as_py() or b"")
            self.sketcher.add(pa.Table.from_batches(self.waiting).combine_chunks(), ascending=True)
        self.waiting, self.rows = [], 0


def scan(lister: Lister, judged: Judgement, shard: Shard, clock: Clock) -> ShardSketch:
    """Return the sketch of one shard. A failed look is data (``facts.failure``), never an absence."""
    options = judged.plan.options
    started_at = clock()
    sketcher = Sketcher(
        judged.domains, judged.plan.now, judged.ignored, tuple(prefix.encode() for prefix in options.own)
    )
    gathering = _Gathering(sketcher)
    failures: list[ReconError] = []

    def look(span: KeyRange) -> None:
        if failures:
            return
        try:
            _list(lister, span, gathering, ordered=judged.plan.ordered, late=late)
        except (LakeError, ShardLateError) as error:
            failures.append(error)

    def late() -> bool:
        return (clock() - started_at).total_seconds() > options.shard_deadline_s

    _side_by_side(look, shard.ranges, options.connections)
    with gathering.lock:
        gathering.flush()
    return ShardSketch(
        ShardFacts(
            shard_id=shard.id,
            started_at=_iso(started_at),
            finished_at=_iso(clock()),
            failure=str(failures[0]) if failures else None,
            requests=gathering.requests,
            objects=sketcher.objects,
            size_bytes=sketcher.size_bytes,
            unexpected=sketcher.unexpected,
            unexpected_by_prefix=sketcher.unexpected_by_prefix,
            unexpected_sample=tuple(sketcher.unexpected_sample),
            boundaries=_thinned(sorted(gathering.boundaries), _BOUNDARIES_MAX),
            out_of_order=any(isinstance(error, ListingOrderError) for error in failures),
        ),
        sketcher.domains(),
    )


def _list(
    lister: Lister, span: KeyRange, gathering: _Gathering, *, ordered: bool, late: Callable[[], bool]
) -> None:
    batches: list[pa.RecordBatch] = []
    boundaries: list[bytes] = []
    rows = requests = 0
    for page in lister.pages(span, ordered=ordered):
        requests += page.requests
        batches.append(page.batch)
        rows += page.batch.num_rows
        if page.batch.num_rows:
            boundaries.append(page.batch.column("key")[-1].as_py() or b"")
        if late():
            raise ShardLateError(
                f"listing {span.prefix.decode(errors='replace')!r} ran past the shard's deadline; what it "
                "did not see is unknown. The next cycle cuts it finer.",
            )
        if rows >= _BATCH_ROWS:
            gathering.take(batches, requests, boundaries)
            batches, boundaries, rows, requests = [], [], 0, 0
    gathering.take(batches, requests, boundaries)


def _side_by_side(look: Callable[[KeyRange], None], spans: Sequence[KeyRange], connections: int) -> None:
    if len(spans) == 1 or connections == 1:
        for span in spans:
            look(span)
        return
    with ThreadPoolExecutor(max_workers=min(connections, len(spans)), thread_name_prefix="list") as pool:
        for done in [pool.submit(look, span) for span in spans]:
            done.result()


def _thinned(keys: Sequence[bytes], most: int) -> tuple[bytes, ...]:
    step = -(-len(keys) // most) if keys else 1
    return tuple(keys[step - 1 :: step])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
