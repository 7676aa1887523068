"""Turn batches of listed objects into a shard's sketch: classify, judge and count whole columns at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recon.core.domain import Domain
from recon.core.ordinal_set import OrdinalSet
from recon.core.segment import Mask
from recon.core.sketch import DomainSketch, Tally
from recon.model import Kind

Ordinals = NDArray[np.int64]

#: How many top folders of unclaimed objects are counted apart, and how many keys are named.
_PREFIXES = 50
_SAMPLES = 50


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

    keys: pl.Series
    sizes: Ordinals
    mtimes: Ordinals


@dataclass(frozen=True, eq=False)
class _Judged:
    """The claimed rows of one batch, with what they are."""

    ordinals: Ordinals
    sizes: Ordinals
    mtimes: Ordinals
    small: Mask
    stale: Mask


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
        exact_first = sorted(range(len(domains)), key=lambda number: domains[number].kind is not Kind.EXACT)
        self._order = [(number, domains[number]) for number in exact_first]
        self._now = now
        self._ignored = ignored
        self._own = own
        self._seen: dict[int, _Seen] = {}
        self.objects = 0
        self.size_bytes = 0
        self.unexpected = 0
        self._unexpected_by_prefix: Counter[str] = Counter()
        self.unexpected_sample: list[str] = []

    def add(self, batch: pa.RecordBatch | pa.Table, *, ascending: bool) -> None:
        """Classify one batch (columns key, size, mtime); ``ascending`` tells that its keys are sorted."""
        columns = self._lake_data(_columns(batch))
        rows = len(columns.keys)
        self.objects += rows
        self.size_bytes += int(columns.sizes.sum())
        claimed = np.zeros(rows, dtype=np.bool_)
        for number, domain in self._order:
            for part in _candidates(domain, columns.keys, ascending=ascending):
                self._classify(number, domain, columns, part, claimed)
        self._note_unexpected(columns.keys, claimed)

    def domains(self) -> dict[int, DomainSketch]:
        """Return the sketch of each domain that was seen."""
        return {
            number: DomainSketch(seen.present.bits(), seen.stale.bits(), seen.small.bits(), seen.tally)
            for number, seen in self._seen.items()
        }

    @property
    def unexpected_by_prefix(self) -> tuple[tuple[str, int], ...]:
        """Return the top folders of unclaimed objects with their counts, most first."""
        return tuple(self._unexpected_by_prefix.most_common(_PREFIXES))

    def _lake_data(self, columns: _Columns) -> _Columns:
        drop = np.zeros(len(columns.keys), dtype=np.bool_)
        if self._ignored is not None:
            drop |= columns.keys.str.contains(self._ignored).to_numpy()
        for prefix in self._own:
            drop |= columns.keys.str.starts_with(prefix.decode()).to_numpy()
        if not drop.any():
            return columns
        return _Columns(columns.keys.filter(pl.Series(~drop)), columns.sizes[~drop], columns.mtimes[~drop])

    def _classify(self, number: int, domain: Domain, columns: _Columns, part: slice, claimed: Mask) -> None:
        ordinals = domain.encode(columns.keys[part])
        hit = (ordinals >= 0) & ~claimed[part]
        if not hit.any():
            return
        claimed[part] |= hit
        every = bool(hit.all())
        ordinals = ordinals if every else ordinals[hit]
        sizes = columns.sizes[part] if every else columns.sizes[part][hit]
        mtimes = columns.mtimes[part] if every else columns.mtimes[part][hit]
        small = self._small(domain, ordinals, sizes)
        stale = self._stale(domain, ordinals, mtimes)
        seen = self._seen.get(number)
        if seen is None:
            seen = self._seen[number] = _Seen.nothing(domain)
        if domain.kind is Kind.EXACT:
            seen.present.add(ordinals)
            seen.small.add(ordinals[small])
            seen.stale.add(ordinals[stale])
        rows = _Judged(ordinals, sizes, mtimes, small, stale)
        seen.tally = seen.tally.plus(_tally(domain, rows))

    @staticmethod
    def _small(domain: Domain, ordinals: Ordinals, sizes: Ordinals) -> Mask:
        if len(domain.blocks) == 1:
            return sizes < domain.blocks[0].pattern.min_size_bytes
        small = np.zeros(len(ordinals), dtype=np.bool_)
        for rows, block, _ in domain.by_block(ordinals):
            small[rows] = sizes[rows] < block.pattern.min_size_bytes
        return small

    def _stale(self, domain: Domain, ordinals: Ordinals, mtimes: Ordinals) -> Mask:
        now_ms = int(self._now.astype("datetime64[ms]").astype(np.int64))
        old = np.zeros(len(ordinals), dtype=np.bool_)
        for rows, block, _ in domain.by_block(ordinals):
            fresh_s = block.pattern.freshness_s
            if fresh_s is not None:
                old[rows] = mtimes[rows] < now_ms - int(fresh_s * 1000)
        if old.any():
            old[old] = domain.live(ordinals[old], self._now)
        return old

    def _note_unexpected(self, keys: pl.Series, claimed: Mask) -> None:
        count = int((~claimed).sum())
        if not count:
            return
        self.unexpected += count
        strangers = keys.filter(pl.Series(~claimed))
        folders = strangers.str.extract(r"^((?:[^/]*/){1,3})").fill_null("")
        counts = folders.value_counts(sort=True).head(_PREFIXES)
        for folder, number in counts.iter_rows():
            self._unexpected_by_prefix[folder] += number
        self.unexpected_sample.extend(strangers.head(_SAMPLES - len(self.unexpected_sample)).to_list())


def _columns(batch: pa.RecordBatch | pa.Table) -> _Columns:
    return _Columns(
        texts_of(batch.column("key")),
        np.asarray(batch.column("size"), dtype=np.int64),
        np.asarray(batch.column("mtime").cast(pa.int64()), dtype=np.int64),
    )


def texts_of(keys: pa.Array[Any] | pa.ChunkedArray[Any]) -> pl.Series:
    """Return raw keys as text; bytes that are no UTF-8 (no pattern can claim them) become U+FFFD."""
    try:
        texts = pc.cast(keys, pa.large_string())
    except pa.ArrowInvalid:
        texts = pa.array(
            [(key or b"").decode(errors="replace") for key in keys.to_pylist()], pa.large_string()
        )
    return pl.Series("key", texts)


def _candidates(domain: Domain, keys: pl.Series, *, ascending: bool) -> list[slice]:
    """Return the runs of rows that a pattern of the domain could claim, by literal prefix."""
    if not ascending:
        return [slice(0, len(keys))] if _any_starts_with(domain, keys) else []
    runs = []
    for prefix in sorted({block.pattern.template.literal_prefix for block in domain.blocks}):
        low = int(keys.search_sorted(prefix, side="left")) if prefix else 0
        high = _end_of_prefix(keys, prefix)
        if low < high:
            runs.append(slice(low, high))
    merged: list[slice] = []
    for run in runs:
        if merged and run.start <= merged[-1].stop:
            merged[-1] = slice(merged[-1].start, max(merged[-1].stop, run.stop))
        else:
            merged.append(run)
    return merged


def _any_starts_with(domain: Domain, keys: pl.Series) -> bool:
    return any(keys.str.starts_with(block.pattern.template.literal_prefix).any() for block in domain.blocks)


def _end_of_prefix(keys: pl.Series, prefix: str) -> int:
    if not prefix:
        return len(keys)
    return int(keys.search_sorted(prefix + "\U0010ffff", side="right"))


def _tally(domain: Domain, rows: _Judged) -> Tally:
    count = len(domain.partitions.labels)
    numbers = domain.partition(rows.ordinals)
    newest = np.zeros(count, dtype=np.int64)
    if count == 1:
        newest[0] = int(rows.mtimes.max())
        totals = np.array([int(rows.sizes.sum())], dtype=np.int64)
    else:
        np.maximum.at(newest, numbers, rows.mtimes)
        totals = np.bincount(numbers, weights=rows.sizes, minlength=count).astype(np.int64)
    objects = np.bincount(numbers, minlength=count)
    return Tally(
        objects,
        objects - np.bincount(numbers[rows.small | rows.stale], minlength=count),
        np.bincount(numbers[rows.stale & ~rows.small], minlength=count),
        np.bincount(numbers[rows.small], minlength=count),
        totals,
        newest,
    )
