"""What is left of a range is tiled whatever was seen of it, and cut where names are likely to go on."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.cuts import cut_points, rest
from recon.model import KeyRange

TEXT = st.text(st.sampled_from("ab09/Zé\u00ff-"), max_size=6).map(lambda text: b"p/" + text.encode())
SEEN = st.lists(TEXT, min_size=1, max_size=80).map(sorted)


def inside(span: KeyRange, key: bytes) -> bool:
    above = not span.start_after or key > span.start_after
    return key.startswith(span.prefix) and above and (span.end is None or key <= span.end)


@given(SEEN, st.none() | TEXT, st.integers(0, 70), st.lists(TEXT, max_size=20))
def test_every_key_above_the_last_one_seen_lies_in_exactly_one_range(seen, end, most, keys):
    if end is not None and end <= seen[-1]:
        return
    span = KeyRange(b"p/", b"", end)
    left = rest(span, seen, most)
    assert len(left) <= most + 1
    for key in [*keys, *seen, *(part.start_after + b"0" for part in left)]:
        held = sum(inside(part, key) for part in left)
        assert held == int(inside(span, key) and key > seen[-1])


@given(SEEN, st.none() | TEXT)
def test_points_ascend_inside_the_range_and_are_text(seen, end):
    points = cut_points(KeyRange(b"p/", b"", end), seen, 64)
    assert all(one < other for one, other in pairwise(points))
    for point in points:
        assert point > seen[-1]
        assert point.startswith(b"p/")
        assert end is None or point < end
        point.decode()


NAMES = {
    "numbers with leading zeros": [b"p/part-%08d.parquet" % number for number in range(200_000)],
    "numbers as they are": sorted(b"p/%d.json" % number for number in range(200_000)),
    "instants": [
        b"p/ev-%04d-%02d-%02dT%02d.gz" % (year, month, day, hour)
        for year in range(2005, 2025)
        for month in range(1, 13)
        for day in range(1, 29)
        for hour in range(24)
    ],
    "hexadecimal digests": sorted(b"p/%08x" % (number * 2_654_435_761 % 2**32) for number in range(200_000)),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_long_range_falls_into_pieces_much_shorter_than_itself(names):
    seen = names[124:8000:125]
    left = rest(KeyRange(b"p/"), seen, 64)
    sizes = [sum(inside(part, key) for key in names[8000::100]) for part in left]
    assert max(sizes) < 0.6 * sum(sizes)
    assert sum(size > 0 for size in sizes) >= 4
    assert len(left) <= 65


def test_a_branch_that_held_little_is_not_cut():
    seen = [b"p/a%d" % number for number in range(9)] + [b"p/b0", b"p/b1"]
    assert cut_points(KeyRange(b"p/"), seen, 64) == ()


def test_names_that_do_not_differ_offer_no_cut():
    assert rest(KeyRange(b"p/", b"", b"p/z"), [b"p/a"] * 9, 64) == (KeyRange(b"p/", b"p/a", b"p/z"),)
