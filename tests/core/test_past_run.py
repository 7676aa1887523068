"""The record of runs: what one run comes to, and what all of them tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from recon.core.past_run import (
    RUNS_MAX,
    Outcome,
    PastRun,
    began_at,
    failed_run,
    finished_run,
    read_run,
    run_tally,
    with_run,
)

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
REPORT = {
    "cycle_id": "20240301T120000-aaaaaa",
    "started_at": "2024-03-01T12:00:00.000Z",
    "finished_at": "2024-03-01T12:00:02.500Z",
    "dry_run": False,
    "observed": {"objects": 7, "shards": {"failed": 0}},
    "expected": {"exact_keys": 10},
    "verdicts": {"missing": 2},
    "coverage": [],
    "skipped": [],
    "gaps": {"total": 2, "keys": 2, "by_priority": {"critical": 1, "high": 0, "medium": 0, "low": 1}},
}
ROW = {"kind": "exact", "ok": 8, "stale": 0, "small": 0, "missing": 2, "coverage": 0.8}
FAILURE = {"message": "no lake", "exit_code": 1, "kind": "LakeError"}


def run(cycle_id: str, outcome: Outcome = Outcome.FINISHED, *, minutes: int = 0, **more) -> PastRun:
    ended = NOW + timedelta(minutes=minutes)
    return PastRun(cycle_id, ended, ended, outcome, **more)


def test_a_finished_run_holds_the_totals_of_its_report_and_comes_back_from_json():
    found = finished_run({**REPORT, "coverage": [ROW]})
    assert (found.duration_s, found.outcome, found.exit_code) == (2.5, Outcome.FINISHED, 0)
    assert found.totals == {
        "objects": 7,
        "expected": 10,
        "missing": 2,
        "gaps": 2,
        "gap_keys": 2,
        "critical": 1,
        "high": 0,
        "medium": 0,
        "low": 1,
        "coverage": 0.8,
    }
    assert read_run(found.document()) == found


def test_a_failed_run_began_when_its_id_says_and_keeps_a_bounded_message():
    found = failed_run("20240301T115950-aaaaaa-r2", {**FAILURE, "message": "x" * 5000}, NOW)
    assert (found.duration_s, found.outcome, len(found.message)) == (10.0, Outcome.FAILED, 500)
    assert read_run(found.document()) == found


@pytest.mark.parametrize(
    ("cycle_id", "at"), [("20240301T120000-aaaaaa-r1", NOW), ("one", None), ("20249901T120000-a", None)]
)
def test_a_cycles_id_tells_when_it_began(cycle_id, at):
    assert began_at(cycle_id) == at


def test_a_run_that_met_another_cycle_was_skipped():
    locked = {"message": "held", "exit_code": 5, "kind": "CycleLockedError"}
    assert failed_run("a", locked, NOW).outcome is Outcome.SKIPPED_OVERLAP


def test_the_success_rate_leaves_out_dry_and_skipped_runs():
    found = run_tally(
        [
            run("a"),
            run("b", exit_code=4, minutes=1),
            run("c", Outcome.FAILED, minutes=2),
            run("d", Outcome.SKIPPED_OVERLAP, minutes=3),
            run("e", dry_run=True, minutes=4),
        ]
    )
    assert (found.kept, found.finished, found.failed, found.skipped_overlap) == (5, 2, 1, 1)
    assert found.success_rate == pytest.approx(2 / 3)
    assert (found.last.cycle_id, found.last_good.cycle_id) == ("c", "a")


def test_nothing_is_said_of_no_runs():
    found = run_tally([])
    assert (found.success_rate, found.last, found.last_good) == (None, None, None)


def test_telling_a_run_twice_changes_nothing():
    runs = with_run((), run("a"))
    assert with_run(runs, run("a", minutes=5)) == runs


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (Outcome.FAILED, Outcome.FINISHED, Outcome.FINISHED),
        (Outcome.FINISHED, Outcome.FAILED, Outcome.FINISHED),
        (Outcome.SKIPPED_OVERLAP, Outcome.FAILED, Outcome.FAILED),
    ],
)
def test_the_weightier_word_of_one_cycle_stays(first, second, stays):
    (found,) = with_run((run("a", first),), run("a", second, minutes=1))
    assert found.outcome is stays


def test_runs_are_bounded_by_number_and_by_age_and_stand_in_the_order_of_their_ends():
    many = tuple(run(f"c{n}", minutes=n) for n in range(RUNS_MAX))
    kept = with_run(many, run("late", minutes=RUNS_MAX))
    assert (len(kept), kept[0].cycle_id, kept[-1].cycle_id) == (RUNS_MAX, "c1", "late")
    kept = with_run(many[:3], run("early", minutes=-5), oldest=NOW + timedelta(minutes=1))
    assert [one.cycle_id for one in kept] == ["early", "c1", "c2"]


def test_a_run_of_which_a_part_was_not_seen_is_not_good():
    report = {**REPORT, "observed": {"objects": 7, "shards": {"failed": 1}}}
    assert finished_run(report).exit_code == 4
    assert not finished_run(report).is_good
    assert replace(finished_run(report), exit_code=0).is_good
