"""What follows a cycle of the workers: history, metrics and forgetting; it fails by none of them."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest
import yaml
from steps_place import GONE, place

from recon.core.past_run import Outcome
from recon.kept_history import kept_coverage, kept_gaps, kept_report
from recon.run_book import load_runs
from recon.trouble_book import load_troubles
from workers import steps, succession
from workers.driver import _Waiting

__all__ = ["place"]

EARLIER = "20240301T120000-aaaaaa"


def state():
    return steps.engine().ports.state


def finished(place, cycle_id: str = "one") -> dict:
    place.scanned(cycle_id)
    steps.finish(cycle_id)
    return place.state(cycle_id, "report")


def metrics(place) -> dict:
    return yaml.safe_load((place.folder / "inventory/metrics.yaml").read_text())


def test_a_finished_cycle_is_in_the_history_as_its_report_tells_it(place):
    report = finished(place)
    (run,) = load_runs(state())
    assert (run.cycle_id, run.outcome, run.totals["missing"]) == ("one", Outcome.FINISHED, len(GONE))
    assert kept_report(state(), run) == report
    assert len(kept_coverage(state(), run)) == len(report["coverage"])
    assert sum(gap["keys"] for gap in kept_gaps(state(), run)) == len(GONE)


def test_a_cycle_that_finishes_updates_the_metrics_beside_other_sections(place):
    (place.folder / "inventory").mkdir()
    (place.folder / "inventory/metrics.yaml").write_text("theirs: {value: 1}  # kept\n")
    report = finished(place)
    found = metrics(place)
    assert found["theirs"] == {"value": 1}
    assert {name: entry["value"] for name, entry in found["reconciliation"].items()} == {
        "reconciliation_last_run": report["finished_at"],
        "reconciliation_total_gaps": report["gaps"]["total"],
        "reconciliation_critical_gaps": report["gaps"]["by_priority"]["critical"],
        "reconciliation_task_queue_size": report["tasks"]["outstanding"],
    }


@pytest.mark.parametrize(
    ("dims", "written"),
    [
        ("{enabled: false}", False),
        ("{update_on_complete: false}", False),
        ("{update_on_complete: false, event_triggers: [gaps_detected]}", True),
        ("{category: mine}", True),
    ],
)
def test_metrics_are_updated_when_the_configuration_says(place, dims, written):
    place.configure(f"integration: {{dims: {dims}}}\n")
    finished(place)
    assert (place.folder / "inventory/metrics.yaml").exists() is written
    if "mine" in dims:
        assert "reconciliation_last_run" in metrics(place)["mine"]


def test_gaps_detected_updates_nothing_where_there_are_none(place):
    place.configure("integration: {dims: {update_on_complete: false, event_triggers: [gaps_detected]}}\n")
    for key in GONE:
        (place.lake / key).write_text("x")
    assert finished(place)["gaps"]["total"] == 0
    assert not (place.folder / "inventory/metrics.yaml").exists()


def test_a_dry_run_is_recorded_as_one_and_updates_no_metrics(place):
    place.scanned("dry", {"dry_run": True})
    steps.finish("dry")
    assert load_runs(state())[0].dry_run
    assert not (place.folder / "inventory").exists()


def test_a_step_that_is_delivered_twice_leaves_one_run(place):
    finished(place)
    steps.finish("one")
    steps.begin("one", {})
    assert [run.outcome for run in load_runs(state())] == [Outcome.FINISHED]


def test_a_failed_cycle_and_an_overlap_are_in_the_record_of_runs(place):
    away = place.lake.rename(place.folder / "unmounted")
    cycle_id, flags = steps.slot_cycle(3600.0)
    steps.begin(cycle_id, flags)
    steps.begin(cycle_id, flags)
    (failed,) = load_runs(state())
    assert (failed.cycle_id, failed.outcome, failed.exit_code) == (cycle_id, Outcome.FAILED, 1)
    assert failed.message == place.state(cycle_id, "error")["message"]
    away.rename(place.lake)
    place.ledger.acquire("running")
    assert steps.slot_cycle(1e-6) is None
    steps.begin("locked-out", {"dry_run": True})
    assert [(run.outcome, run.dry_run) for run in load_runs(state())[1:]] == [
        (Outcome.SKIPPED_OVERLAP, False),
        (Outcome.SKIPPED_OVERLAP, True),
    ]


def test_a_run_that_was_given_up_is_recorded(place):
    steps.begin("a-killed", {})
    succession.succeed(succession.access.lookout(steps.engine().settings))
    (run,) = load_runs(state())
    assert (run.cycle_id, run.kind) == ("a-killed", "GivenUp")


def test_old_failures_are_forgotten_and_recent_ones_and_reports_stay(place):
    for cycle_id in ("20240301T100000-old", "20240301T115900-new"):
        state().put(f"cycles/{cycle_id}/error.json", json.dumps({"message": "x"}).encode())
    state().put("cycles/20240301T090000-done/report.json", b"{}")
    state().put("cycles/20240201T090000-done/report.json", b"{}")
    finished(place, EARLIER)
    names = {name for name in state().names("cycles/") if name.endswith(("error.json", "report.json"))}
    assert names == {
        "cycles/20240301T115900-new/error.json",
        "cycles/20240301T090000-done/report.json",
        f"cycles/{EARLIER}/report.json",
    }


# ---- what fails, and what takes long


@pytest.mark.parametrize("broken", ["history", "inventory"])
def test_a_folder_that_cannot_be_written_is_told_and_counted_and_the_cycle_ends_well(place, broken, caplog):
    where = place.folder / (".recon/history" if broken == "history" else "inventory/metrics.yaml")
    where.parent.mkdir(parents=True, exist_ok=True)
    if broken == "history":
        where.write_text("a file where a folder should be")
    else:
        where.mkdir()
    report = finished(place)
    assert report["verdicts"]["missing"] == len(GONE)
    assert place.state("one", "error") is None
    assert (place.ledger.current(), place.ledger.open_cycles()) == (None, [])
    found = load_troubles(state())
    assert set(found) == ({"history", "runs", "prune"} if broken == "history" else {"dims"})
    assert "after a cycle" in caplog.text
    assert place.queued() == GONE


def test_a_command_that_takes_long_holds_no_lock_and_a_run_that_has_own_workers_waits_for_it(place):
    started, go = place.folder / "started", place.folder / "go"
    script = (
        f"import os, time; open({str(started)!r}, 'a').close()\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    )
    command = json.dumps([sys.executable, "-c", script, "{metric}", "{value}"])
    place.configure(f"integration: {{dims: {{command: {command}}}}}\n")
    place.scanned("one")
    finisher = threading.Thread(target=steps.finish, args=("one",))
    finisher.start()
    try:
        patient(started.exists)
        assert place.state("one", "report")
        assert place.ledger.current() is None
        assert place.ledger.is_followed("one")
        waiting = _Waiting.__new__(_Waiting)
        waiting._cycle_id = "one"
        waiting._look = succession.access.lookout(steps.engine().settings)
        settled = threading.Thread(target=waiting.settle)
        settled.start()
        settled.join(0.2)
        assert settled.is_alive()
    finally:
        go.touch()
        finisher.join()
    settled.join(5)
    assert not settled.is_alive()
    assert not place.ledger.is_followed("one")
    assert load_troubles(state()) == {}


def test_a_command_that_hangs_is_counted_and_the_next_cycle_runs(place):
    command = json.dumps([sys.executable, "-c", "import time; time.sleep(60)", "{metric}", "{value}"])
    place.configure(f"integration: {{dims: {{command: {command}, timeout: 1s}}}}\n")
    finished(place)
    assert "longer than integration.dims.timeout" in load_troubles(state())["dims"].message
    place.heals()


def patient(condition, most_s: float = 20.0) -> None:
    give_up = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)
