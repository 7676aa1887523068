"""What follows a cycle, in every state store: written once, read back, pruned, never in the way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from state_stores import s3, store

from recon.adapters.state_store import MemoryStateStore
from recon.aftermath import Aftermath
from recon.core.gaps import Gap
from recon.core.past_run import Outcome, finished_run
from recon.core.task_body import WantedGroup
from recon.errors import MetricsError, StateError
from recon.kept_history import kept_coverage, kept_gaps, kept_report, prune_days
from recon.model import Priority, Reason
from recon.run_book import NAME, load_runs, record_run
from recon.trouble_book import TroubleBook, load_troubles

__all__ = ["s3", "store"]

NOW = datetime(2024, 3, 1, 12, 0, 5, tzinfo=UTC)
SEEN = datetime(2024, 2, 1, tzinfo=UTC)


def report(cycle_id: str = "20240301T120000-aaaaaa", at: datetime = NOW, **more) -> dict:
    row = {"source": "nba", "data_type": "box", "partition": {"season": "2023-24"}, "kind": "exact"}
    counts = {"ok": 8, "stale": 0, "small": 0, "missing": 2, "not_due": 0, "known_absent": 0, "unknown": 0}
    levels = {"critical": 0, "high": 0, "medium": 0, "low": 1}
    return {
        "cycle_id": cycle_id,
        "started_at": at.isoformat(),
        "finished_at": (at + timedelta(seconds=2)).isoformat(),
        "dry_run": False,
        "observed": {"objects": 8, "shards": {"failed": 0}},
        "expected": {"exact_keys": 10},
        "verdicts": {"missing": 2},
        "coverage": [{**row, "expected": 10, "have": 8, **counts, "coverage": 0.8, "threshold": 1.0}],
        "skipped": [],
        "gaps": {"total": 1, "keys": 2, "by_priority": levels},
        "tasks": {"outstanding": 1},
    } | more


def group(seen: datetime) -> WantedGroup:
    return WantedGroup(
        *("nba", "box", Reason.MISSING, {"season": "2023-24"}, "nba", "box/{n}.json", seen),
        priorities=None,
        due=None,
        keys=None,
        expect={},
    )


GAPS = (
    Gap(
        *("nba", "box", (("season", "2023-24"),), Reason.MISSING, Priority.LOW, 2),
        (group(SEEN + timedelta(days=1)), group(SEEN)),
    ),
    Gap("nba", "part", (), Reason.INCOMPLETE, Priority.HIGH, 0, (group(SEEN),), have=3, expected=8),
)


class Registry:
    """A metrics registry that takes, or refuses, what it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.told = error, []

    def update(self, values, at) -> None:
        assert at.tzinfo is UTC
        self.told.append(values)
        if self.error is not None:
            raise self.error


def aftermath(state, *, now: datetime = NOW, registry=None, days: int = 90) -> Aftermath:
    return Aftermath(
        state, lambda: now, TroubleBook(state), days, registry, frozenset({"reconciliation_complete"})
    )


class RefusingStore(MemoryStateStore):
    """A state that takes nothing below some names: its disk is full there, or it may not be written."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused

    def put(self, name: str, content: bytes) -> None:
        if name.startswith(self.refused):
            raise StateError(f"cannot write {name}: No space left on device")
        super().put(name, content)


def test_a_cycle_is_kept_with_its_report_its_coverage_and_its_gaps(store):
    aftermath(store).keep(report(), GAPS)
    (run,) = load_runs(store)
    assert (run.outcome, run.totals["gaps"], run.totals["coverage"]) == (Outcome.FINISHED, 1, 0.8)
    assert kept_report(store, run) == report()
    assert [{name: row[name] for name in report()["coverage"][0]} for row in kept_coverage(store, run)] == (
        report()["coverage"]
    )
    cycle = {"cycle_id": run.cycle_id, "started_at": NOW}
    assert kept_gaps(store, run) == [
        {
            **cycle,
            "source": "nba",
            "data_type": "box",
            "partition": {"season": "2023-24"},
            "reason": "missing",
            "priority": "low",
            "keys": 2,
            "have": None,
            "expected": None,
            "first_seen_at": SEEN,
        },
        {
            **cycle,
            "source": "nba",
            "data_type": "part",
            "partition": {},
            "reason": "incomplete",
            "priority": "high",
            "keys": 0,
            "have": 3,
            "expected": 8,
            "first_seen_at": SEEN,
        },
    ]


def test_keeping_a_cycle_twice_changes_nothing(store):
    once = aftermath(store)
    once.keep(report(), GAPS)
    before = {name: store.get(name) for name in store.names("")}
    once.keep({**report(), "finished_at": (NOW + timedelta(days=1)).isoformat()}, ())
    once.fail(report()["cycle_id"], {"message": "late", "exit_code": 1, "kind": "StateError"}, dry_run=False)
    assert {name: store.get(name) for name in store.names("")} == before


def test_a_cycle_without_gaps_or_rows_is_kept_too(store):
    aftermath(store).keep(report(coverage=[]), ())
    (run,) = load_runs(store)
    assert (kept_coverage(store, run), kept_gaps(store, run)) == ([], [])


def test_failed_and_skipped_cycles_are_in_the_record_of_runs(store):
    after = aftermath(store)
    after.fail("20240301T110000-a", {"message": "x", "exit_code": 1, "kind": "LakeError"}, dry_run=True)
    after.fail("b", {"message": "held", "exit_code": 5, "kind": "CycleLockedError"}, dry_run=False)
    failed, skipped = load_runs(store)
    assert (failed.outcome, failed.kind, failed.message, failed.dry_run, failed.exit_code) == (
        *(Outcome.FAILED, "LakeError", "x", True, 1),
    )
    assert (failed.duration_s, skipped.outcome) == (3605.0, Outcome.SKIPPED_OVERLAP)


def test_a_run_that_another_writer_overwrote_is_written_again():
    class Racing(MemoryStateStore):
        raced = False

        def put(self, name, content):
            super().put(name, content)
            if not self.raced:  # another one had read the record before, and writes it now
                self.raced = True
                theirs = {"schema": "recon.runs/1", "runs": [finished_run(report("theirs")).document()]}
                super().put(NAME, json.dumps(theirs).encode())

    state = Racing()
    record_run(state, finished_run(report("ours")))
    assert {run.cycle_id for run in load_runs(state)} == {"ours", "theirs"}


def test_runs_older_than_history_days_are_forgotten(store):
    record_run(store, finished_run(report("old", NOW - timedelta(days=91))))
    aftermath(store).keep(report(), ())
    assert [run.cycle_id for run in load_runs(store)] == [report()["cycle_id"]]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"runs": [{}]}'])
def test_a_record_of_runs_that_cannot_be_read_says_what_to_do(store, content):
    store.put(NAME, content)
    with pytest.raises(StateError, match="Delete it"):
        load_runs(store)


# ---- pruned


def kept_days(state) -> set[str]:
    return {name.split("/")[2].removeprefix("day=") for name in state.names("history/") if "day=" in name}


def fill_days(state, days: int) -> None:
    for back in range(days):
        aftermath(state, days=1000).keep(report(f"c{back}", NOW - timedelta(days=back)), GAPS)


def test_days_beyond_history_days_are_deleted_in_steps_and_the_others_stay(store):
    fill_days(store, 6)
    prune_days(store, NOW, 2)
    assert kept_days(store) == {"2024-02-28", "2024-02-29", "2024-03-01"}
    assert load_runs(store)
    prune_days(store, NOW + timedelta(days=2), 2)
    assert kept_days(store) == {"2024-03-01"}


def test_a_day_costs_requests_once():
    class Counting(MemoryStateStore):
        listed, deleted = 0, 0

        def names(self, prefix):
            self.listed += 1
            return super().names(prefix)

        def delete(self, prefix):
            self.deleted += 1
            super().delete(prefix)

    state = Counting()
    fill_days(state, 3)
    prune_days(state, NOW, 1)
    state.listed = state.deleted = 0
    prune_days(state, NOW, 1)
    assert (state.listed, state.deleted) == (0, 0)
    prune_days(state, NOW + timedelta(days=1), 1)
    assert state.deleted == 3


def test_a_lost_note_of_what_was_pruned_is_made_again(store):
    fill_days(store, 4)
    prune_days(store, NOW, 2)
    store.put("history/pruned.json", b"?")
    prune_days(store, NOW + timedelta(days=1), 2)
    assert min(map(date.fromisoformat, kept_days(store))) == date(2024, 2, 29)


def test_old_reports_and_errors_of_single_cycles_go_but_for_those_still_needed(store):
    old = {name: f"cycles/20240101T000000-{name}" for name in ("gone", "latest", "kept", "baseline")}
    for name in old.values():
        store.put(f"{name}/report.json", b"{}")
    store.put("cycles/20240101T000000-gone/error.json", b"{}")
    store.put("cycles/20240301T000000-new/report.json", b"{}")
    store.put("latest.json", b'{"cycle_id": "20240101T000000-latest"}')
    store.put("kept.json", b'{"cycle_id": "20240101T000000-kept", "as_of": "2024-01-01T00:00:00+00:00"}')
    brake = {"baseline": "20240101T000000-baseline", "holds": [], "bases": []}
    store.put("brake/record.json", json.dumps(brake).encode())
    aftermath(store).follow(report())
    assert {name.split("-")[1] for name in store.names("cycles/")} == {
        *("latest/report.json", "kept/report.json", "baseline/report.json", "new/report.json"),
    }
    assert load_troubles(store) == {}


# ---- what fails


@pytest.mark.parametrize(
    ("refused", "steps"),
    [("history/", {"history", "runs", "prune"}), ("history/runs", {"runs"}), ("history/gaps", {"history"})],
)
def test_a_history_that_cannot_be_written_is_told_and_counted_and_fails_nothing(refused, steps, caplog):
    state = RefusingStore(refused)
    for cycle_id in ("one", "two"):
        after = aftermath(state)
        after.keep(report(cycle_id), GAPS)
        after.follow(report(cycle_id))
    found = load_troubles(state)
    assert {step: trouble.count for step, trouble in found.items()} == dict.fromkeys(steps, 2)
    assert all("No space left" in trouble.message for trouble in found.values())
    assert all(f"after a cycle, {step} failed" in caplog.text for step in steps)


def test_what_a_failing_state_does_not_count_is_counted_when_it_can(caplog):
    state = RefusingStore("history/", "troubles")
    after = aftermath(state)
    after.keep(report(), GAPS)
    assert (load_troubles(state), after.troubles.unwritten) == ({}, 2)
    state.refused = ("history/",)
    after.keep(report(), GAPS)
    assert {step: trouble.count for step, trouble in load_troubles(state).items()} == {
        "history": 2,
        "runs": 2,
    }
    assert after.troubles.unwritten == 0


def test_metrics_that_cannot_be_updated_are_told_and_counted_and_what_follows_is_done(store, caplog):
    fill_days(store, 4)
    registry = Registry(MetricsError("no registry at redis://u:hunter2@h"))
    aftermath(store, registry=registry, days=1).follow(report())
    assert len(registry.told) == 1
    assert load_troubles(store)["dims"].count == 1
    assert "hunter2" not in caplog.text + load_troubles(store)["dims"].message
    assert len(kept_days(store)) == 2


def test_whatever_is_raised_fails_nothing(store):
    aftermath(store, registry=Registry(ZeroDivisionError())).follow(report())
    assert load_troubles(store)["dims"].message == "ZeroDivisionError"


def test_a_dry_run_is_recorded_and_updates_no_metrics(store):
    registry = Registry()
    dry = report(dry_run=True)
    after = aftermath(store, registry=registry)
    after.keep(dry, GAPS)
    after.follow(dry)
    assert registry.told == []
    assert load_runs(store)[0].dry_run


def test_what_history_does_not_hold_says_so(store):
    run = replace(finished_run(report()), cycle_id="never")
    with pytest.raises(StateError, match="holds no gaps of cycle never"):
        kept_gaps(store, run)
