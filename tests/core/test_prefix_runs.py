"""Rows are found by prefix, in a sorted batch as in any other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recon.core.key_column import KeyColumn
from recon.core.prefix_runs import PrefixRuns

_letters = st.sampled_from(["a", "b", "/", "é", "\ud7ff", "\ue000", "\U0010ffff"])
_text = st.lists(_letters, max_size=4).map("".join)
_claimants = st.lists(st.lists(_text, min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@example([["a"], ["a/"], [""]], ["a/b", "a", "b", "", "a0", "a/\U0010ffffz"])
@given(_claimants, st.lists(_text, max_size=30))
def test_the_runs_of_a_claimant_are_the_keys_with_its_prefixes(claimants, keys):
    runs = PrefixRuns(claimants)
    ascending = KeyColumn.of(pl.Series(sorted(keys), dtype=pl.String))
    shuffled = KeyColumn.of(pl.Series(keys, dtype=pl.String))
    order, grouped = runs.grouped(shuffled)
    together = shuffled if order is None else shuffled.take(order)
    for column, positions in ((ascending, runs.positions(ascending)), (together, grouped)):
        for number, own in enumerate(claimants):
            parts = runs.of(number, positions)
            found = [key for part in parts for key in column.series[part].to_list()]
            assert sorted(found) == sorted(key for key in keys if key.startswith(tuple(own)))
            assert all(one.stop < other.start for one, other in pairwise(parts))


def test_keys_that_already_stand_together_are_left_as_they_are():
    runs = PrefixRuns([["a"], ["b"]])
    column = KeyColumn.of(pl.Series(["a3", "a1", "b2", "b1", "c"]))
    order, positions = runs.grouped(column)
    assert order is None
    assert [runs.of(number, positions) for number in (0, 1)] == [[slice(0, 2)], [slice(2, 4)]]


def test_a_claimant_that_is_alone_may_be_shown_every_row():
    runs = PrefixRuns([["a", "b", ""]])
    assert runs.of(0, runs.everywhere(7)) == [slice(0, 7)]


def test_keys_that_stand_together_keep_their_order():
    runs = PrefixRuns([["a"], ["b"]])
    column = KeyColumn.of(pl.Series(["b2", "a3", "c", "b1", "a1"]))
    order, _ = runs.grouped(column)
    assert np.array(["b2", "a3", "c", "b1", "a1"])[order].tolist() == ["a3", "a1", "b2", "b1", "c"]
