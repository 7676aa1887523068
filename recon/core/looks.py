"""How to look at keys again, live: one by one, or by a listing that steps from one to the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: From so many wanted keys in one folder on, a listing that steps from one to the next is cheaper: a LIST
#: costs as much as twelve HEADs (https://aws.amazon.com/s3/pricing/), and no more requests than keys.
_DENSE = 12


#: Keys from the first (inclusive) to the second (exclusive; None: to the end of all keys).
Interval = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Keys of one folder (String, ascending), and the ordinals they stand for."""

    keys: pl.Series
    ordinals: NDArray[np.int64]

    @property
    def dense(self) -> bool:
        """Tell whether listing past the keys is cheaper than asking for each."""
        return len(self.keys) >= _DENSE


def looks(keys: pl.Series, ordinals: NDArray[np.int64]) -> Iterator[Look]:
    """Yield the looks that cover ``keys`` (any order; ``ordinals`` beside them): one for each folder."""
    order = keys.arg_sort().to_numpy()
    keys, ordinals = keys.gather(order), ordinals[order]
    start = 0
    for length in _folders(keys):
        yield Look(keys.slice(start, length), ordinals[start : start + length])
        start += length


def price(keys: pl.Series) -> float:
    """Return what the looks at ``keys`` (any order) cost at least, in LISTs."""
    return sum(1.0 if length >= _DENSE else length / _DENSE for length in _folders(keys.sort()))


def strides(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield at most ``most`` runs (low, high) that cover ``count`` places, of like length."""
    step = max(1, -(-count // most))
    for start in range(0, count, step):
        yield start, min(start + step, count)


def _folders(keys: pl.Series) -> list[int]:
    """Return how many of sorted ``keys`` lie in each of their folders."""
    found: list[int] = keys.str.extract(r"^(?s)(.*/)").fill_null("").rle().struct.field("len").to_list()
    return found


def just_before(key: bytes) -> bytes:
    """Return a text below ``key`` from which a listing reaches it soon: few texts lie between the two."""
    return key[:-1]


def shared_folder(first: bytes, last: bytes) -> bytes:
    """Return the deepest folder that holds both keys, with its slash; b"" for none."""
    pairs = zip(first, last, strict=False)
    alike = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(first), len(last)))
    return first[: first.rfind(b"/", 0, alike) + 1]


def pieces(interval: Interval, points: Sequence[bytes]) -> Iterator[Interval]:
    """Yield intervals that tile one, cut at every second of ``points`` (ascending) inside it.

    ``points`` are keys about a page of a listing apart: a piece takes two pages or three.
    """
    low, end = interval
    first = bisect_right(points, low)
    last = len(points) if end is None else bisect_left(points, end)
    cuts = [low, *points[first + 1 : last : 2]]
    yield from zip(cuts, [*cuts[1:], end], strict=True)
