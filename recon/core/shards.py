r"""Cut the key space into shards: what is listed, the ranges that tile it, and samples of whole shards.

Everything here works on raw key bytes and on half-open intervals ``[low, high)`` of byte strings: the
smallest key above ``k`` is ``k + b"\0"``; the keys with prefix ``p`` are exactly ``[p, successor(p))``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.model import KeyRange, Shard

#: Ranges one shard lists at the same time: enough to keep its connections busy, few enough to fail small.
RANGES_PER_SHARD = 8


def cover(prefixes: Iterable[bytes], scope: Iterable[bytes] = ()) -> tuple[bytes, ...]:
    """Return the fewest prefixes that hold every key with one of ``prefixes`` and one of ``scope``.

    No returned prefix starts with another, so nothing is listed twice. An empty ``scope`` narrows nothing;
    the prefix ``b""`` is the whole lake.
    """
    wanted = _minimal(prefixes)
    narrow = _minimal(scope)
    if not narrow:
        return wanted
    both = [max(one, other, key=len) for one in wanted for other in narrow if _nested(one, other)]
    return _minimal(both)


def split_points(hints: Iterable[bytes], pieces: int) -> tuple[bytes, ...]:
    """Return at most ``pieces - 1`` of ``hints``, ascending: the quantiles that cut them into equal pieces.

    Hints are keys a like number of objects apart (last keys of the last cycle's pages), or folder prefixes.
    """
    known = sorted(set(hints))
    if len(known) < pieces:
        return tuple(known)
    return tuple(known[index * len(known) // pieces] for index in range(1, pieces))


def key_ranges(prefixes: Sequence[bytes], points: Iterable[bytes]) -> tuple[KeyRange, ...]:
    """Return ranges that tile the key space of each prefix exactly, cut at ``points``, in key order.

    ``prefixes`` is a ``cover``. Points outside every prefix cut nothing; no points leave a hole or overlap.
    """
    cuts = sorted(set(points))
    return tuple(span for prefix in prefixes for span in _tiles(prefix, cuts))


def shards(
    prefixes: Sequence[bytes],
    hints: Iterable[bytes],
    *,
    target: int,
    ranges_per_shard: int = RANGES_PER_SHARD,
) -> tuple[Shard, ...]:
    """Return about ``target`` shards of neighbouring ranges that tile ``prefixes``, balanced by ``hints``.

    Without hints each prefix is one range. The same prefixes, hints and numbers give the same ids.
    """
    known = sorted(set(hints))
    spans = key_ranges(prefixes, split_points(known, max(1, target) * max(1, ranges_per_shard)))
    if not spans:
        return ()
    # A range costs one request even where nothing is known of it, and one more for each hint inside.
    weights = np.array([1 + hints_inside(span, known) for span in spans], dtype=np.int64)
    ends = np.cumsum(weights)
    middles = ends - (weights + 1) // 2
    bins = middles * max(1, target) // ends[-1]
    cuts = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(spans)]
    return tuple(_shard(spans[low:high]) for low, high in pairwise(cuts))


def hints_inside(span: KeyRange, hints: Sequence[bytes]) -> int:
    """Return how many of ``hints`` (ascending) lie in a range."""
    low, high = interval(span)
    upper = len(hints) if high is None else bisect_left(hints, high)
    return upper - bisect_left(hints, low)


def sampled(whole: Sequence[Shard], rate: float | None, seed: int) -> tuple[Shard, ...]:
    """Return the share ``rate`` of whole shards (at least one), in order; all for None or 1 and more.

    The choice follows the shards' ids and ``seed`` only, so a seed always samples the same part of a lake.
    """
    if rate is None or rate >= 1 or not whole:
        return tuple(whole)
    wanted = max(1, round(rate * len(whole)))
    by_lot = sorted(
        range(len(whole)), key=lambda index: _digest(seed.to_bytes(8, "big"), whole[index].id.encode())
    )
    return tuple(whole[index] for index in sorted(by_lot[:wanted]))


@dataclass(frozen=True, slots=True)
class Observed:
    """The part of the key space that was seen whole: disjoint, ascending intervals ``[low, high)``.

    ``highs`` holds None, for the end of all keys, at most once and last.
    """

    lows: tuple[bytes, ...]
    highs: tuple[bytes | None, ...]

    def mask(self, keys: pl.Series) -> NDArray[np.bool_]:
        """Return, for each of ``keys`` (Binary, any order), whether it lies where everything was seen."""
        if not self.lows:
            return np.zeros(len(keys), dtype=np.bool_)
        lows = pl.Series(self.lows, dtype=pl.Binary)
        nearest = lows.search_sorted(keys, side="right").cast(pl.Int64).to_numpy() - 1
        highs = pl.Series(self.highs, dtype=pl.Binary).gather(np.maximum(nearest, 0))
        below = (highs.is_null() | (keys < highs).fill_null(value=True)).to_numpy()
        mask: NDArray[np.bool_] = (nearest >= 0) & below
        return mask

    def holds(self, key: bytes) -> bool:
        """Return whether ``key`` lies where everything was seen."""
        return self._reaches(key, key + b"\0")

    def whole(self, prefix: bytes) -> bool:
        """Return whether every key with ``prefix`` lies where everything was seen."""
        return self._reaches(prefix, successor(prefix))

    def _reaches(self, low: bytes, high: bytes | None) -> bool:
        index = bisect_right(self.lows, low) - 1
        return index >= 0 and _not_above(high, self.highs[index])


def observed(ranges: Iterable[KeyRange]) -> Observed:
    """Return the union of ``ranges`` (of completed shards, in any order), neighbours joined."""
    lows: list[bytes] = []
    highs: list[bytes | None] = []
    for low, high in sorted((interval(span) for span in ranges), key=lambda pair: pair[0]):
        if high is not None and high <= low:
            continue
        if highs and (highs[-1] is None or low <= highs[-1]):
            highs[-1] = high if _not_above(highs[-1], high) else highs[-1]
        else:
            lows.append(low)
            highs.append(high)
    return Observed(tuple(lows), tuple(highs))


def interval(span: KeyRange) -> tuple[bytes, bytes | None]:
    """Return a range as the half-open interval ``[low, high)``; a ``high`` of None is the end of all keys."""
    low = max(span.prefix, span.start_after + b"\0") if span.start_after else span.prefix
    ends = [
        end
        for end in (successor(span.prefix), None if span.end is None else span.end + b"\0")
        if end is not None
    ]
    return low, min(ends) if ends else None


def successor(prefix: bytes) -> bytes | None:
    """Return the smallest byte string above every key with ``prefix``; None where there is none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None


def _minimal(prefixes: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return ``prefixes`` ascending, without those that start with another."""
    kept: list[bytes] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


def _nested(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _tiles(prefix: bytes, cuts: Sequence[bytes]) -> list[KeyRange]:
    """Return the ranges of one prefix, cut after each of ``cuts`` (ascending) that lies inside it."""
    high = successor(prefix)
    first = bisect_right(cuts, prefix)
    last = len(cuts) if high is None else bisect_left(cuts, high)
    inside = cuts[first:last]
    return [
        KeyRange(prefix, start_after, end)
        for start_after, end in zip([b"", *inside], [*inside, None], strict=True)
    ]


def _shard(spans: Sequence[KeyRange]) -> Shard:
    parts = [part for span in spans for part in (span.prefix, span.start_after, span.end or b"")]
    return Shard(_digest(*parts), tuple(spans))


def _digest(*parts: bytes) -> str:
    """Return 16 hex digits over length-prefixed ``parts``."""
    state = blake2b(digest_size=8)
    for part in parts:
        state.update(len(part).to_bytes(4, "big") + part)
    return state.hexdigest()


def _not_above(high: bytes | None, bound: bytes | None) -> bool:
    """Return whether the end ``high`` is at or before the end ``bound``; None is the end of all keys."""
    return bound is None or (high is not None and high <= bound)
