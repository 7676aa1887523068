"""Boundaries stand at even distances, whatever pages the marks came from."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recon.core.marks import boundaries, thinned


def marks_of(counts: list[int]) -> tuple[list[int], list[tuple[bytes, int]]]:
    """Return the places and the marks of pages with so many keys, over keys numbered from 0."""
    places, at = [], -1
    for count in counts:
        at += count
        places.append(at)
    return places, [(b"%09d" % place, count) for place, count in zip(places, counts, strict=True)]


@given(st.lists(st.integers(1, 125), min_size=1, max_size=200), st.randoms())
def test_no_two_boundaries_are_further_apart_than_asked_nor_much_closer(counts, random):
    places, marks = marks_of(counts)
    random.shuffle(marks)
    found = [int(key) for key in boundaries(marks, 1000, 8192)]
    assert set(found) <= set(places)
    assert found
    edges = [-1, *found]
    assert all(after - before <= 1000 for before, after in pairwise(edges))
    assert all(after - before > 1000 - 125 for before, after in pairwise(edges[:-1]))
    assert places[-1] - found[-1] < 500 or len(found) == 1


def test_cutting_at_the_boundaries_again_and_again_makes_no_more_of_them():
    keys, counts = 172_754, [125] * 1382
    found = boundaries(marks_of(counts)[1], 1000, 8192)
    for grown in range(5):
        # Each range lists its own pages of 1,000; a few keys came in everywhere.
        cuts = [*(int(key) for key in found), keys]
        pages = []
        for low, high in pairwise([-1, *cuts]):
            left = high - low + grown
            pages += [125] * (left // 125) + [left % 125] * (left % 125 > 0)
        found = boundaries(marks_of(pages)[1], 1000, 8192)
        assert len(found) <= 1.15 * keys / 1000


def test_few_keys_leave_one_boundary_and_none_leave_none():
    assert boundaries([(b"a", 1), (b"b", 1)], 1000, 10) == (b"b",)
    assert boundaries([], 1000, 10) == ()


@given(st.lists(st.integers(0, 10_000), unique=True).map(sorted), st.integers(1, 50))
def test_thinning_keeps_at_most_so_many_evenly(numbers, most):
    keys = [b"%05d" % number for number in numbers]
    kept = thinned(keys, most)
    assert len(kept) <= most
    assert len(kept) >= most // 2 or list(kept) == keys
    steps = {after - before for before, after in pairwise(bisect_right(keys, key) for key in kept)}
    assert len(steps) <= 1
