"""What changed between two cycles: a gap that is gone is closed only where somebody looked."""

from __future__ import annotations

import pytest

from recon.core.differences import coverage_changes, gap_changes


def gap(season: str, keys: int = 3, *, priority: str = "low", **more) -> dict:
    place = {"source": "nba", "data_type": "box", "partition": {"season": season}}
    return {
        **place,
        "reason": "missing",
        "priority": priority,
        "keys": keys,
        "have": None,
        "expected": None,
    } | more


def row(season: str, ok: int = 5, missing: int = 5, *, source: str = "nba", **more) -> dict:
    place = {"source": source, "data_type": "box", "partition": {"season": season}, "kind": "exact"}
    counts = {"ok": ok, "stale": 0, "small": 0, "missing": missing, "known_absent": 0, "unknown": 0}
    whole = ok + missing
    return {**place, **counts, "coverage": ok / whole if whole else None} | more


def changes(before, after, seen_before=(), seen_after=()):
    return gap_changes(before, after, seen_before, seen_after)


def test_gaps_open_stay_and_change_in_size_or_priority():
    found = changes(
        [gap("a"), gap("b", 3), gap("c", priority="low")],
        [gap("a"), gap("b", 5), gap("c", priority="high"), gap("d")],
    )
    assert [one["partition"]["season"] for one in found["opened"]] == ["d"]
    assert [
        (one["partition"]["season"], one["size_before"], one["size"], one["priority_before"], one["priority"])
        for one in found["changed"]
    ] == [("b", 3, 5, "low", "low"), ("c", 3, 3, "low", "high")]
    assert (found["closed"], found["unchanged"]) == ([], 1)


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ([row("a", 10, 0)], "filled"),
        ([row("a", 5, 0, known_absent=5)], "known_absent"),
        ([], "not_expected"),
    ],
)
def test_a_closed_gap_says_why(after, why):
    (closed,) = changes([gap("a")], [], [row("a")], after)["closed"]
    assert closed["why"] == why


def test_a_gap_whose_partition_was_not_looked_at_is_not_closed():
    found = changes([gap("a")], [], [row("a")], [row("a", 0, 0, unknown=10)])
    assert found["closed"] == []
    assert [one["partition"] for one in found["unseen"]] == [{"season": "a"}]


def test_a_counted_gap_is_as_large_as_it_is_short_of_its_number():
    counted = {"keys": 0, "reason": "incomplete", "expected": 10}
    (changed,) = changes([gap("a", have=4, **counted)], [gap("a", have=7, **counted)])["changed"]
    assert (changed["size_before"], changed["size"]) == (6, 3)


def test_coverage_changes_add_up_by_partition_type_source_and_over_all():
    before = [row("a", 5, 5), row("b", 10, 0), row("a", 1, 1, source="odds")]
    after = [row("a", 10, 0), row("b", 10, 0), row("a", 1, 1, source="odds")]
    found = coverage_changes(before, after)
    place = {"source": "nba", "data_type": "box", "partition": {"season": "a"}}
    assert found["partitions"] == [{**place, "before": 0.5, "after": 1.0}]
    assert found["sources"] == [{"source": "nba", "before": 0.75, "after": 1.0}]
    assert found["data_types"] == [{"source": "nba", "data_type": "box", "before": 0.75, "after": 1.0}]
    assert found["total"] == [{"before": 16 / 22, "after": 21 / 22}]


def test_a_partition_that_is_new_had_no_coverage_before():
    (found,) = coverage_changes([], [row("a")])["partitions"]
    assert (found["before"], found["after"]) == (None, 0.5)
