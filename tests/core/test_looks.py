"""Looks cover every wanted key once, each with its ordinal, and cost what they say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.looks import just_before, looks, pieces, price, shared_folder, strides

_keys = st.lists(st.text("ab/é\n", min_size=1, max_size=6), unique=True, max_size=40)


@given(_keys)
def test_every_key_is_looked_at_once_beside_the_others_of_its_folder(keys):
    column = pl.Series(keys, dtype=pl.String)
    found = list(looks(column, np.arange(len(keys))))
    pairs = [pair for look in found for pair in zip(look.keys, look.ordinals.tolist(), strict=True)]
    assert sorted(pairs) == sorted(zip(keys, range(len(keys)), strict=True))
    folders = [{key[: key.rfind("/") + 1] for key in look.keys} for look in found]
    assert all(len(own) == 1 for own in folders)
    assert all(look.keys.to_list() == sorted(look.keys, key=str.encode) for look in found)


def test_few_keys_of_a_folder_are_asked_for_and_many_are_listed():
    few = pl.Series([f"a/{number}" for number in range(11)])
    many = pl.Series([f"b/{number}" for number in range(12)])
    assert [look.dense for look in looks(pl.concat([few, many]), np.arange(23))] == [False, True]
    assert price(few) == pytest.approx(11 / 12)
    assert price(many) == 1.0


@given(st.integers(0, 200), st.integers(1, 40))
def test_strides_cover_every_place_once(count, most):
    runs = list(strides(count, most))
    assert len(runs) <= most
    assert [place for low, high in runs for place in range(low, high)] == list(range(count))


@given(st.binary(min_size=1, max_size=8))
def test_a_listing_that_begins_just_before_a_key_reaches_it(key):
    assert just_before(key) < key


@pytest.mark.parametrize(
    ("first", "last", "folder"),
    [
        (b"a/b/c", b"a/b/d", b"a/b/"),
        (b"a/b", b"a/bc", b"a/"),
        (b"a", b"b", b""),
        (b"a/x", b"a/x", b"a/"),
        (b"ab/x", b"ac/x", b""),
    ],
)
def test_the_shared_folder_holds_both_keys(first, last, folder):
    assert shared_folder(first, last) == folder


@given(
    st.binary(max_size=2),
    st.none() | st.binary(min_size=1, max_size=2),
    st.sets(st.binary(min_size=1, max_size=2)),
)
def test_pieces_tile_their_interval_whatever_the_points(low, end, points):
    if end is not None and end <= low:
        return
    cut = list(pieces((low, end), sorted(points)))
    assert cut[0][0] == low
    assert cut[-1][1] == end
    assert all(one[1] == other[0] for one, other in pairwise(cut))
    assert all(one[1] is None or one[0] < one[1] for one in cut)
