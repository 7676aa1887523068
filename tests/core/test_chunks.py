"""Chunks are picked by level, newest due first, sources in turn, within every limit; by arithmetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wanted_groups import NumberedKeys, group

from recon.core.chunks import FreeRanks, selection
from recon.core.limits import Books, QueueLimits
from recon.model import Priority

NOTHING = np.empty(0, dtype=np.int64)


def everything(groups):
    """Return the free ranks of groups of which nothing is outstanding."""
    return [FreeRanks(len(one.priorities), NOTHING) for one in groups]


def picked(groups, books=None, **limits):
    """Return (source, data type, first rank) of the chosen chunks, in order."""
    books = books or Books(QueueLimits(**limits))
    chosen = selection(groups, everything(groups), books)
    return [(groups[index].source, groups[index].data_type, int(ranks[0])) for index, ranks in chosen.chosen]


def many(size, level=1, due=None, **settings):
    """Return a group of ``size`` single-key chunks at one level."""
    days = None if due is None else [due] * size
    keys = [f"{number:06d}" for number in range(size)]
    return group(keys, levels=[level] * size, due=days, batch_size=1, **settings)


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
def test_free_ranks_are_all_but_the_blocked_ones(size, blocked):
    held = np.array(sorted(rank for rank in blocked if rank < size), dtype=np.int64)
    free = FreeRanks(size, held)
    assert free.at(np.arange(len(free))).tolist() == sorted(set(range(size)) - blocked)


def test_a_chunk_holds_batch_size_keys_and_the_last_one_the_rest():
    groups = [group([f"{number:03d}" for number in range(120)], levels=[1] * 120)]
    chosen = selection(groups, everything(groups), Books(QueueLimits()))
    assert [len(ranks) for _, ranks in chosen.chosen] == [50, 50, 20]
    assert chosen.chunks == 3


def test_urgent_levels_come_first_and_within_one_the_newest_due():
    groups = [
        group(["a", "b"], levels=[1, 2], due=[1, 1], data_type="old", batch_size=1),
        group(["a", "b", "c"], levels=[0, 1, 1], due=[5, 9, None], data_type="new", batch_size=1),
    ]
    assert picked(groups) == [
        ("nba", "new", 0),
        ("nba", "new", 1),
        ("nba", "old", 0),
        ("nba", "new", 2),
        ("nba", "old", 1),
    ]


def test_sources_take_turns_among_tasks_due_together():
    groups = [many(3, source="a"), many(2, source="b"), many(1, source="c")]
    assert [source for source, _, _ in picked(groups)] == ["a", "b", "c", "a", "b", "a"]


def test_a_level_takes_no_more_than_its_cap_and_the_run_no_more_than_its_own():
    groups = [many(500, level) for level in Priority]
    taken = Counter(ranks[1] for ranks in enumerate_levels(groups, QueueLimits()))
    assert taken == {Priority.CRITICAL: 100, Priority.HIGH: 300, Priority.MEDIUM: 400, Priority.LOW: 200}
    assert len(list(enumerate_levels(groups, QueueLimits(in_all=150)))) == 150


def enumerate_levels(groups, limits):
    """Yield (group, level) of the chosen chunks."""
    for index, ranks in selection(groups, everything(groups), Books(limits)).chosen:
        yield index, Priority(int(groups[index].priorities[ranks[0]]))


def test_a_source_gets_half_a_contested_level_and_all_of_a_level_it_has_alone():
    alone = picked([many(500, 0, source="a")])
    shared = Counter(source for source, _, _ in picked([many(500, 0, source="a"), many(7, 0, source="b")]))
    assert len(alone) == 100
    assert shared == {"a": 50, "b": 7}


def test_what_other_sources_have_outstanding_contests_a_level_too():
    books = Books(QueueLimits())
    books.add(Priority.CRITICAL, "b", "box")
    for _ in range(20):
        books.add(Priority.CRITICAL, "a", "box")
    assert len(picked([many(500, 0, source="a")], books)) == 30


def test_an_unproven_type_gets_its_few_newest_tasks_and_the_rest_is_counted():
    keys = [f"{number:02d}" for number in range(20)]
    wrong = group(keys, levels=[1] * 20, due=range(20, 0, -1), batch_size=1, proven=False)
    groups = [wrong, many(3, due=0, data_type="sound")]
    chosen = selection(groups, everything(groups), Books(QueueLimits()))
    assert [int(ranks[0]) for index, ranks in chosen.chosen if index == 0] == [0, 1, 2, 3, 4]
    assert (chosen.chunks, chosen.unproven, len(chosen.chosen)) == (23, 15, 8)


def test_the_partitions_of_an_unproven_type_share_its_allowance():
    seasons = [many(4, due=day, partition={"season": str(day)}, proven=False) for day in (1, 2, 3)]
    books = Books(QueueLimits())
    books.add(Priority.HIGH, "nba", "box")
    chosen = selection(seasons, everything(seasons), books)
    assert [index for index, _ in chosen.chosen] == [2, 2, 2, 2]
    assert chosen.unproven == 8


def test_nothing_wanted_selects_nothing():
    assert selection([], [], Books(QueueLimits())).chosen == ()
    empty = [group([], levels=[])]
    assert selection(empty, everything(empty), Books(QueueLimits())).chosen == ()


def test_ten_million_wanted_keys_are_chosen_from_without_decoding_one():
    wanted = NumberedKeys(10_000_000)
    unranked = group(levels=[], due=[], wanted=wanted)
    levels, never = np.ones(10_000_000, dtype=np.uint8), np.full(10_000_000, "NaT", dtype="datetime64[s]")
    huge = replace(unranked, priorities=levels, due=never)
    chosen = selection([huge], everything([huge]), Books(QueueLimits()))
    assert len(chosen.chosen) == 300
    assert chosen.chunks == 200_000
    assert wanted.decoded == 0
