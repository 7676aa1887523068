"""The key space is cut without a hole or an overlap, whatever the hints."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.core.shards import Observed, cover, key_ranges, observed, sampled, shards, split_points
from recon.model import KeyRange

# A narrow alphabet with the ends of the byte space makes nested prefixes and equal hints likely.
BYTES = st.binary(max_size=6) | st.lists(
    st.sampled_from([b"a", b"b", b"/", b"\x00", b"\xff"]), max_size=5
).map(b"".join)
PREFIXES = st.lists(BYTES, max_size=6)


def inside(span: KeyRange, key: bytes) -> bool:
    """Tell by the definition in ``KeyRange`` whether ``key`` lies in ``span``."""
    above = not span.start_after or key > span.start_after
    return key.startswith(span.prefix) and above and (span.end is None or key <= span.end)


@given(PREFIXES, PREFIXES, BYTES)
def test_a_key_is_in_the_cover_exactly_when_it_has_a_prefix_and_is_in_scope(prefixes, scope, key):
    wanted = any(key.startswith(prefix) for prefix in prefixes)
    in_scope = not scope or any(key.startswith(prefix) for prefix in scope)
    assert sum(key.startswith(prefix) for prefix in cover(prefixes, scope)) == int(wanted and in_scope)


@given(PREFIXES, PREFIXES, st.integers(1, 9), st.integers(1, 4), BYTES)
def test_every_key_of_the_cover_lies_in_exactly_one_range_whatever_the_hints(
    prefixes, hints, target, each, tail
):
    listed = cover(prefixes)
    cut = shards(listed, hints, target=target, ranges_per_shard=each)
    spans = [span for shard in cut for span in shard.ranges]
    for key in {
        tail,
        *prefixes,
        *hints,
        *(prefix + tail for prefix in prefixes),
        *(hint + b"\0" for hint in hints),
    }:
        held = sum(inside(span, key) for span in spans)
        assert held == int(any(key.startswith(prefix) for prefix in listed))


@given(PREFIXES, PREFIXES, st.integers(1, 9))
def test_the_same_input_gives_the_same_distinct_shard_ids_in_key_order(prefixes, hints, target):
    listed = cover(prefixes)
    one = shards(listed, hints, target=target)
    assert one == shards(listed, list(reversed(hints)), target=target)
    assert len({shard.id for shard in one}) == len(one) <= target
    spans = [span for shard in one for span in shard.ranges]
    assert spans == sorted(spans, key=lambda span: (span.prefix, span.start_after))


def test_the_cover_lists_nothing_twice_and_keeps_partial_segments_apart():
    assert cover([b"nba/", b"nba/box/", b"nb", b"hoopr/2024"]) == (b"hoopr/2024", b"nb")
    assert cover([b"nba_api/"], [b"nba", b"nba_api/box"]) == (b"nba_api/",)
    assert cover([b"nba_api/"], [b"hoopr"]) == ()
    assert cover([b""], [b"nba", b"hoopr"]) == (b"hoopr", b"nba")


def test_split_points_are_quantiles_of_the_hints():
    hints = [b"%03d" % index for index in range(100)]
    assert split_points(hints, 4) == (b"025", b"050", b"075")
    assert split_points([b"b", b"a", b"b"], 10) == (b"a", b"b")


def test_a_prefix_starts_open_and_ends_open():
    assert key_ranges([b"a/"], [b"a/m", b"zzz", b"a/", b""]) == (
        KeyRange(b"a/", b"", b"a/m"),
        KeyRange(b"a/", b"a/m", None),
    )


def test_hints_balance_the_shards_of_one_flat_prefix():
    hints = [b"flat/%06d" % (index * 1000) for index in range(3000)]
    cut = shards([b"flat/"], hints, target=100, ranges_per_shard=8)
    assert len(cut) == 100
    assert {len(shard.ranges) for shard in cut} == {8}
    weights = [sum(inside(span, hint) for span in shard.ranges for hint in hints) for shard in cut[::20]]
    assert max(weights) <= 1.3 * min(weights)


def test_many_small_prefixes_share_a_shard_and_a_heavy_one_is_spread():
    small = [b"small/%03d/" % index for index in range(90)]
    hints = [b"big/%04d" % index for index in range(900)]
    cut = shards(cover([*small, b"big/"]), hints, target=10, ranges_per_shard=20)
    assert len(cut) == 10
    assert len({shard.id for shard in cut if shard.ranges[0].prefix == b"big/"}) >= 8


def test_without_hints_each_prefix_is_one_range():
    assert [shard.ranges for shard in shards([b"a/", b"b/"], [], target=4)] == [
        (KeyRange(b"a/"),),
        (KeyRange(b"b/"),),
    ]
    assert shards([], [b"x"], target=4) == ()


def test_a_sample_takes_whole_shards_in_order_and_the_same_ones_each_time():
    whole = shards([b""], [b"%03d" % index for index in range(200)], target=40, ranges_per_shard=2)
    part = sampled(whole, 0.1, seed=7)
    assert len(part) == 4
    assert list(part) == [shard for shard in whole if shard in part]
    assert part == sampled(whole, 0.1, seed=7)
    assert part != sampled(whole, 0.1, seed=8)


def test_a_sample_is_never_empty_and_no_rate_means_everything():
    whole = shards([b"a", b"b", b"c"], [], target=3)
    assert len(sampled(whole, 0.0001, seed=1)) == 1
    assert sampled(whole, None, seed=1) == sampled(whole, 1, seed=1) == whole
    assert sampled((), 0.5, seed=1) == ()


@settings(max_examples=60)
@given(PREFIXES, PREFIXES, st.sets(st.integers(0, 20)), st.lists(BYTES, max_size=12))
def test_observed_says_of_each_key_whether_a_completed_range_holds_it(prefixes, hints, done, keys):
    spans = key_ranges(cover(prefixes), hints)
    completed = [span for index, span in enumerate(spans) if index in done]
    seen = observed(reversed(completed))
    truth = [any(inside(span, key) for span in completed) for key in keys]
    assert [seen.holds(key) for key in keys] == truth
    assert seen.mask(pl.Series(keys, dtype=pl.Binary)).tolist() == truth


@settings(max_examples=60)
@given(PREFIXES, PREFIXES, st.integers(0, 20), BYTES)
def test_a_prefix_is_observed_whole_only_when_no_range_of_it_is_missing(prefixes, hints, lost, prefix):
    spans = key_ranges(cover(prefixes), hints)
    assert observed(spans).whole(prefix) == any(prefix.startswith(listed) for listed in cover(prefixes))
    if lost < len(spans):
        gone = spans[lost]
        key = gone.end if gone.end is not None else (gone.start_after or gone.prefix) + b"\0"
        rest = observed(span for span in spans if span != gone)
        if inside(gone, key):
            assert not rest.whole(gone.prefix)
            assert not rest.holds(key)


def test_nothing_observed_holds_nothing():
    seen = observed([])
    assert seen == Observed((), ())
    assert not seen.holds(b"a")
    assert not seen.whole(b"")
    assert seen.mask(pl.Series([b"a"], dtype=pl.Binary)).tolist() == [False]


def test_the_mask_of_a_million_keys_is_one_vectorised_pass():
    keys = pl.select(pl.format("nba/{}", pl.int_range(1_000_000)).cast(pl.Binary)).to_series()
    spans = key_ranges([b"nba/"], split_points(keys.gather_every(1000).to_list(), 400))
    mask = observed(spans[::2]).mask(keys)
    assert 0.4 < np.mean(mask) < 0.6


def test_a_sample_takes_every_shard_equally_often_however_much_it_holds():
    hints = [b"big/%04d" % index for index in range(300)]
    whole = shards(cover([b"big/", *(b"small/%02d/" % index for index in range(10))]), hints, target=20)
    drawn = [shard.id for seed in range(2000) for shard in sampled(whole, 0.25, seed)]
    times = [drawn.count(shard.id) for shard in whole]
    expected = len(drawn) / len(whole)
    # Five standard deviations of a count that is drawn by fair lot.
    assert all(abs(count - expected) < 5 * expected**0.5 for count in times)
