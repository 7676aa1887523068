"""Turn batches of listed objects into a shard's sketch: classify, judge and count whole columns at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from recon.core.arrow import integers
from recon.core.domain import Domain
from recon.core.key_column import KeyColumn
from recon.core.ordinal_set import OrdinalSet
from recon.core.prefix_runs import Positions, PrefixRuns
from recon.core.segment import Mask
from recon.core.sketch import DomainSketch, Tally
from recon.model import Kind

Ordinals = NDArray[np.int64]

#: How many top folders of unclaimed objects are counted apart, and how many keys are named.
_PREFIXES = 50
_SAMPLES = 50
#: Unclaimed objects that wait to be counted.
_STRANGERS = 1 << 16
#: A size or an mtime (milliseconds) that the source of a batch does not tell.
UNTOLD = -1


@dataclass(eq=False)
class _Seen:
    """What a shard has seen of one domain so far."""

    present: OrdinalSet
    stale: OrdinalSet
    small: OrdinalSet
    tally: Tally

    @staticmethod
    def nothing(domain: Domain) -> _Seen:
        zero = Tally.zero(len(domain.partitions.labels))
        return _Seen(OrdinalSet(domain.size), OrdinalSet(domain.size), OrdinalSet(domain.size), zero)


@dataclass(frozen=True, eq=False)
class _Columns:
    """One batch: keys as text, sizes in bytes, modification times in Unix milliseconds."""

    keys: KeyColumn
    sizes: Ordinals
    mtimes: Ordinals


@dataclass(frozen=True, eq=False)
class _Claimed:
    """The rows of one batch that a domain claims."""

    ordinals: Ordinals
    sizes: Ordinals
    mtimes: Ordinals

    def where(self, rows: Mask) -> _Claimed:
        return _Claimed(self.ordinals[rows], self.sizes[rows], self.mtimes[rows])


class Sketcher:
    """Sketches one shard. ``add`` takes batches in any order; ``domains`` is keyed by domain number."""

    def __init__(
        self,
        domains: Sequence[Domain],
        now: np.datetime64,
        ignored: str | None = None,
        own: tuple[bytes, ...] = (),
    ) -> None:
        """Prepare for the objects of any range.

        Args:
            domains: All domains of the plan.
            now: The cycle's instant (datetime64, UTC).
            ignored: A regex of keys that are no lake data (ignore_patterns), or None.
            own: Prefixes of recon's own files inside the lake, which are no lake data either.
        """
        self._domains = domains
        self._runs = PrefixRuns(
            [block.pattern.template.literal_prefix for block in domain.blocks] for domain in domains
        )
        self._now = now
        self._ignored = ignored
        self._own = own
        self._ahead_ms = 0
        self._seen: dict[int, _Seen] = {}
        self.objects = 0
        self.size_bytes = 0
        self.unexpected = 0
        self._unexpected_by_prefix: Counter[str] = Counter()
        self._unexpected_sample: list[str] = []
        self._strangers: list[pl.Series] = []

    def add(self, batch: pa.RecordBatch | pa.Table, *, ascending: bool, ahead_s: float = 0.0) -> None:
        """Classify one batch (columns key, size, mtime); ``ascending`` tells that its keys are sorted.

        An object whose size or time is ``UNTOLD`` is neither small nor stale. ``ahead_s`` is how far the
        clock of ``now`` is ahead of the one that the batch's times were told by.

        A batch costs about 1 ms for each domain that it touches: unsorted ones are best of 100,000 rows or
        more.
        """
        self._ahead_ms = round(ahead_s * 1000)
        columns, positions = self._in_runs(self._lake_data(_columns(batch)), ascending=ascending)
        rows = len(columns.keys)
        self.objects += rows
        self.size_bytes += int(columns.sizes.sum(where=columns.sizes >= 0))
        claimed = np.zeros(rows, dtype=np.bool_)
        for number, domain in enumerate(self._domains):
            for part in self._runs.of(number, positions):
                self._classify(number, domain, columns, part, claimed)
        if not claimed.all():
            self._note_unexpected(columns.keys.where(~claimed).series)

    def domains(self) -> dict[int, DomainSketch]:
        """Return the sketch of each domain that was seen."""
        return {
            number: DomainSketch(seen.present.bits(), seen.stale.bits(), seen.small.bits(), seen.tally)
            for number, seen in self._seen.items()
        }

    @property
    def unexpected_by_prefix(self) -> tuple[tuple[str, int], ...]:
        """Return the top folders of unclaimed objects with their counts, most first."""
        self._count_strangers()
        return tuple(self._unexpected_by_prefix.most_common(_PREFIXES))

    @property
    def unexpected_sample(self) -> tuple[str, ...]:
        """Return the keys of a few unclaimed objects."""
        self._count_strangers()
        return tuple(self._unexpected_sample)

    def _lake_data(self, columns: _Columns) -> _Columns:
        drop = np.zeros(len(columns.keys), dtype=np.bool_)
        if self._ignored is not None:
            drop |= columns.keys.series.str.contains(self._ignored).to_numpy()
        for prefix in self._own:
            drop |= columns.keys.starts_with(prefix.decode())
        if not drop.any():
            return columns
        return _Columns(columns.keys.where(~drop), columns.sizes[~drop], columns.mtimes[~drop])

    def _in_runs(self, columns: _Columns, *, ascending: bool) -> tuple[_Columns, Positions]:
        if ascending and not columns.keys.mended:
            return columns, self._runs.positions(columns.keys)
        if len(self._domains) == 1:
            return columns, self._runs.everywhere(len(columns.keys))
        order, positions = self._runs.grouped(columns.keys)
        if order is None:
            return columns, positions
        return _Columns(columns.keys.take(order), columns.sizes[order], columns.mtimes[order]), positions

    def _classify(self, number: int, domain: Domain, columns: _Columns, part: slice, claimed: Mask) -> None:
        whole = part.start == 0 and part.stop == len(claimed)
        ordinals = domain.encode(columns.keys if whole else columns.keys.part(part))
        hit = (ordinals >= 0) & ~claimed[part]
        if not hit.any():
            return
        claimed[part] |= hit
        rows = _Claimed(ordinals, columns.sizes[part], columns.mtimes[part])
        rows = rows if hit.all() else rows.where(hit)
        small, stale = _small(domain, rows), self._stale(domain, rows)
        seen = self._seen.get(number)
        if seen is None:
            seen = self._seen[number] = _Seen.nothing(domain)
        if domain.kind is Kind.EXACT:
            seen.present.add(rows.ordinals)
            seen.small.add(rows.ordinals[small])
            seen.stale.add(rows.ordinals[stale])
        seen.tally = seen.tally.plus(_tally(domain, rows, small, stale))

    def _stale(self, domain: Domain, rows: _Claimed) -> Mask:
        now_ms = int(self._now.astype("datetime64[ms]").astype(np.int64)) - self._ahead_ms
        old = np.zeros(len(rows.ordinals), dtype=np.bool_)
        for own, block, _ in domain.by_block(rows.ordinals):
            fresh_s = block.pattern.freshness_s
            if fresh_s is not None:
                old[own] = (rows.mtimes[own] < now_ms - int(fresh_s * 1000)) & (rows.mtimes[own] != UNTOLD)
        if old.any():
            old[old] = domain.live(rows.ordinals[old], self._now)
        return old

    def _note_unexpected(self, strangers: pl.Series) -> None:
        self.unexpected += len(strangers)
        self._strangers.append(strangers)
        if sum(map(len, self._strangers)) >= _STRANGERS:
            self._count_strangers()

    def _count_strangers(self) -> None:
        """Count the unclaimed objects that wait by their top folders: many at once cost what a few do."""
        if not self._strangers:
            return
        strangers = pl.concat(self._strangers)
        self._strangers.clear()
        folders = strangers.str.extract(r"^((?:[^/]*/){1,3})").fill_null("")
        counts = folders.value_counts(sort=True).head(_PREFIXES)
        for folder, number in counts.iter_rows():
            self._unexpected_by_prefix[folder] += number
        self._unexpected_sample.extend(strangers.head(_SAMPLES - len(self._unexpected_sample)).to_list())


def _small(domain: Domain, rows: _Claimed) -> Mask:
    small = np.zeros(len(rows.ordinals), dtype=np.bool_)
    for own, block, _ in domain.by_block(rows.ordinals):
        small[own] = (rows.sizes[own] < block.pattern.min_size_bytes) & (rows.sizes[own] != UNTOLD)
    return small


def _columns(batch: pa.RecordBatch | pa.Table) -> _Columns:
    return _Columns(
        KeyColumn.read(batch.column("key")),
        integers(batch.column("size")),
        integers(batch.column("mtime")),
    )


def _tally(domain: Domain, rows: _Claimed, small: Mask, stale: Mask) -> Tally:
    numbers = domain.partition(rows.ordinals)
    count = len(domain.partitions.labels)
    newest = np.zeros(count, dtype=np.int64)
    np.maximum.at(newest, numbers, rows.mtimes)

    def counted(mask: Mask) -> Ordinals:
        return np.bincount(numbers[mask] if mask.any() else [], minlength=count)

    objects = np.bincount(numbers, minlength=count)
    return Tally(
        objects,
        objects - counted(small | stale),
        counted(stale & ~small),
        counted(small),
        np.bincount(numbers, weights=np.maximum(rows.sizes, 0), minlength=count).astype(np.int64),
        newest,
    )
