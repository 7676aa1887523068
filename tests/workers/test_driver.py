"""A cycle survives the loss of a worker or of the broker, and an interruption leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from engine_place import sampled_place
from process_table import children, descendants, running

RUN = [sys.executable, "-c", "from recon.cli import main; main()", "run", "--json"]


@pytest.fixture
def place(tmp_path, sample):
    made = sampled_place(tmp_path, sample)
    yield made
    made.recon("down")


def run_and_kill(place, victim) -> dict:
    """Start a cycle; once its plan is there, SIGKILL what ``victim`` names; return the report."""
    before = set((place.folder / ".recon" / "cycles").glob("*/plan.json"))
    run = subprocess.Popen(RUN, cwd=place.folder, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while set((place.folder / ".recon" / "cycles").glob("*/plan.json")) == before:
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.01)
        os.kill(victim(run.pid), signal.SIGKILL)
        output, _ = run.communicate(timeout=100)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0
    return json.loads(output)


def one_publication(place) -> bool:
    """Tell whether no key is queued twice."""
    queued = json.loads((place.folder / "inventory/gaps.json").read_text())
    keys = [key for task in queued["tasks"] for key in task["keys"]]
    return len(keys) == len(set(keys))


def test_a_scan_worker_killed_in_the_middle_changes_no_answer(place):
    expected = place.run("--inline", "--dry-run")
    found = run_and_kill(place, lambda pid: children(pid, "recon.scan")[0])
    assert found["verdicts"] == expected["verdicts"]
    assert found["tasks"]["published"] == expected["tasks"]["published"]
    assert one_publication(place)


def test_a_broker_killed_in_the_middle_changes_no_answer(place):
    expected = place.run("--inline", "--dry-run")
    socket = str(place.folder)

    def broker(_: int) -> int:
        table = subprocess.run(
            ["ps", "-e", "-ww", "-o", "pid=", "-o", "args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 1) for line in table.stdout.splitlines()]
        return next(int(pid) for pid, words in rows if "valkey-server" in words and socket in words)

    found = run_and_kill(place, broker)
    assert found["verdicts"] == expected["verdicts"]
    assert one_publication(place)
    assert place.run("--inline")["tasks"]["published"] == 0


def has_planned(place) -> bool:
    return any((place.folder / ".recon" / "cycles").glob("*/plan.json"))


@pytest.mark.parametrize(
    ("number", "code", "moment"),
    [
        (signal.SIGINT, 130, "its workers start"),
        (signal.SIGINT, 130, "it scans"),
        (signal.SIGTERM, 143, "it scans"),
        (signal.SIGHUP, 129, "its workers start"),
    ],
    ids=str,
)
def test_an_interrupted_run_leaves_no_process_and_no_lock(place, number, code, moment):
    run = subprocess.Popen(RUN, cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (children(run.pid, "recon.scan") if moment == "its workers start" else has_planned(place)):
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.01)
        below = descendants(run.pid)
        assert below
        os.kill(run.pid, number)
        output, said = run.communicate(timeout=30)
    finally:
        run.kill()
        run.communicate()
    assert (run.returncode, output.strip(), "Traceback" in said) == (code, "", False)
    assert not running(below)
    # Where nothing was planned, no message can be left for workers: a run without them tells as much.
    way = () if moment == "it scans" else ("--inline",)
    assert place.run(*way)["observed"]["shards"]["failed"] == 0


def test_a_run_whose_driver_is_killed_leaves_no_worker(place):
    run = subprocess.Popen(RUN, cwd=place.folder, stdout=subprocess.DEVNULL)
    while not has_planned(place):
        time.sleep(0.01)
    below = descendants(run.pid)
    run.kill()
    run.wait()
    deadline = time.monotonic() + 30
    while running(below):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_workers_folder_of_the_user_is_not_mistaken_for_ours(place):
    (place.folder / "workers").mkdir()
    (place.folder / "workers" / "__init__.py").write_text("raise SystemExit('not these workers')\n")
    done = subprocess.run(
        [sys.executable, "-P", *RUN[1:], "--dry-run"],
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["dry_run"] is True


@pytest.mark.parametrize("moment", ["its workers start", "it scans"])
def test_the_run_after_a_killed_one_begins_at_once_and_gives_the_right_answer(place, moment):
    expected = place.run("--inline", "--dry-run")
    run = subprocess.Popen(RUN, cwd=place.folder, stdout=subprocess.DEVNULL)
    before = set((place.folder / ".recon" / "cycles").glob("*/plan.json"))
    while not (
        children(run.pid, "recon.scan")
        if moment == "its workers start"
        else set((place.folder / ".recon" / "cycles").glob("*/plan.json")) - before
    ):
        assert run.poll() is None
        time.sleep(0.01)
    run.kill()
    run.wait()
    found = place.run()
    assert found["verdicts"] == expected["verdicts"]
    assert found["tasks"]["published"] == expected["tasks"]["published"]
    assert one_publication(place)
    assert place.run("--inline")["tasks"]["published"] == 0


def test_an_inline_run_that_was_killed_does_not_keep_the_next_one_waiting(place):
    run = subprocess.Popen([*RUN, "--inline"], cwd=place.folder, stdout=subprocess.DEVNULL)
    while not has_planned(place):
        assert run.poll() is None
        time.sleep(0.01)
    run.kill()
    run.wait()
    assert place.run("--inline")["observed"]["shards"]["failed"] == 0
    assert place.run()["tasks"]["published"] == 0


def test_a_run_beside_a_living_one_takes_nothing_from_it(place):
    place.run("--inline", "--dry-run")
    before = set((place.folder / ".recon" / "cycles").glob("*/plan.json"))
    run = subprocess.Popen(RUN, cwd=place.folder, stdout=subprocess.PIPE, text=True)
    while not set((place.folder / ".recon" / "cycles").glob("*/plan.json")) - before:
        assert run.poll() is None
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGSTOP)
    second = place.recon("run", "--inline")
    os.kill(run.pid, signal.SIGCONT)
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0
    assert json.loads(output)["observed"]["shards"]["failed"] == 0
    assert second.returncode in {0, 5}  # 0 where the first had ended by then
