"""How far a cycle is: rates, what is left, and the shard that has run for longest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recon.core.progress import Phase, ScanWatch, shard_label
from recon.model import KeyRange, Shard, ShardProgress


def test_rates_and_what_is_left_follow_from_what_the_shards_said():
    watch = ScanWatch()
    first = {"a": ShardProgress("a/", 0, 0), "b": ShardProgress("b/", 0, 0)}
    assert watch.so_far(first, 0, 4, 100.0).eta_s is None
    then = {"a": ShardProgress("a/", 3000, 4, ended=True), "b": ShardProgress("b/", 1000, 2)}
    standing = watch.so_far(then, 1, 4, 110.0)
    assert (standing.phase, standing.objects, standing.requests) == (Phase.SCANNING, 4000, 6)
    assert standing.objects_per_s == 400.0
    assert standing.eta_s == 30.0
    assert (standing.oldest, standing.oldest_s) == ("b/", 10.0)


def test_the_oldest_is_the_one_first_seen_among_those_that_run():
    watch = ScanWatch()
    watch.so_far({"b": ShardProgress("b/")}, 0, 2, 0.0)
    both = {"a": ShardProgress("a/"), "b": ShardProgress("b/")}
    assert watch.so_far(both, 0, 2, 5.0).oldest == "b/"
    both["b"] = ShardProgress("b/", ended=True)
    assert watch.so_far(both, 1, 2, 6.0).oldest == "a/"


def test_a_scan_that_has_ended_is_followed_by_the_comparison():
    standing = ScanWatch().so_far({"a": ShardProgress("a/", 1, 1, ended=True)}, 1, 1, 3.0)
    assert (standing.phase, standing.oldest, standing.eta_s) == (Phase.CONCLUDING, "", 0.0)


def test_nothing_said_is_nothing_counted():
    standing = ScanWatch().so_far({}, 0, 3, 7.0)
    assert (standing.objects, standing.objects_per_s, standing.oldest) == (0, 0.0, "")


def test_a_shard_is_named_by_where_it_begins():
    assert shard_label(Shard("x", (KeyRange(b"nba/"),))) == "nba/"
    assert shard_label(Shard("x", (KeyRange(b""),))) == "the whole lake"
    spans = (KeyRange(b"nba/", b"nba/2019.json"), KeyRange(b"odds/"))
    assert shard_label(Shard("x", spans)) == "after nba/2019.json and 1 more"
    assert shard_label(Shard("x", ())) == "x"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_label_is_one_printable_line_whatever_the_keys_hold(prefix, start_after):
    assert shard_label(Shard("x", (KeyRange(prefix, start_after),))).isprintable()
