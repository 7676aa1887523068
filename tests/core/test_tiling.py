"""Every key finds the shard that would list it, and every prefix all shards that may hold it."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from recon.core.shards import cover, shards
from recon.core.tiling import Tiling
from recon.model import KeyRange, Shard

BYTES = st.lists(st.sampled_from([b"a", b"b", b"/", b"\x00", b"\xff"]), max_size=5).map(b"".join)
MANY = st.lists(BYTES, max_size=6)


def holds(shard: Shard, key: bytes) -> bool:
    return any(
        key.startswith(span.prefix)
        and (not span.start_after or key > span.start_after)
        and (span.end is None or key <= span.end)
        for span in shard.ranges
    )


@given(MANY, MANY, st.integers(1, 5), MANY)
def test_a_key_belongs_to_the_shard_whose_range_holds_it(prefixes, hints, target, keys):
    cut = shards(cover(prefixes), hints, target=target, ranges_per_shard=2)
    found = Tiling(cut).owners(pl.Series(keys, dtype=pl.Binary)).tolist()
    assert found == [next((n for n, shard in enumerate(cut) if holds(shard, key)), -1) for key in keys]


@given(MANY, MANY, st.integers(1, 5), MANY, MANY)
def test_no_shard_that_holds_a_key_of_a_prefix_is_left_out(prefixes, hints, target, asked, tails):
    cut = shards(cover(prefixes), hints, target=target, ranges_per_shard=2)
    found = set(Tiling(cut).under(asked).tolist())
    for key in (prefix + tail for prefix in asked for tail in [b"", *tails]):
        assert {number for number, shard in enumerate(cut) if holds(shard, key)} <= found


def test_shards_beside_a_prefix_are_not_under_it():
    cut = shards([b"a/", b"b/", b"c/"], [b"b/5"], target=4, ranges_per_shard=1)
    assert [cut[number].ranges for number in Tiling(cut).under([b"b/6"])] == [(KeyRange(b"b/", b"b/5"),)]
    assert Tiling(cut).under([b"d"]).tolist() == []
    assert Tiling([]).under([b""]).tolist() == []
