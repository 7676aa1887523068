"""A set-up that is wrong ends every command with its exit code and a next step, never with a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

from redis_servers import ON_DISK, binary_of, running

LAKE = "lake: sample-lake"


def reconfigured(place, old: str, new: str) -> None:
    config = place.folder / "config/recon.yaml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_a_shipped_set_up_is_well(place):
    place.run("--inline")
    done = place.recon("doctor", "--json")
    checks = json.loads(done.stdout)
    assert done.returncode == 0
    assert {check["name"] for check in checks} >= {
        "inventory",
        "patterns",
        "lake",
        "state",
        "broker",
        "workers",
    }
    assert {check["status"] for check in checks} <= {"ok", "warn"}


def test_a_broken_set_up_fails_with_a_next_step_for_each_problem(place):
    reconfigured(place, LAKE, "lake: file:///nowhere/at/all")
    done = place.recon("doctor")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    for at, line in enumerate(lines):
        if line.startswith(("FAIL", "WARN")):
            assert lines[at + 1].strip().startswith("→")
    assert any(line.startswith("FAIL  lake: ") for line in lines)


def test_a_second_lake_on_the_same_queues_is_exit_2_through_workers_and_without_them(place):
    before = place.run("--inline")
    reconfigured(place, LAKE, "lake: another-lake")
    (place.folder / "another-lake/_catalogs").mkdir(parents=True)
    for words in (("--inline",), ()):
        done = place.recon("run", *words)
        assert done.returncode == 2, done.stderr
        assert "sample-lake" in done.stderr
        assert "queues.prefix" in done.stderr
    reconfigured(place, "lake: another-lake", LAKE)
    assert place.run("--inline")["tasks"]["outstanding"] == before["tasks"]["outstanding"]


def test_a_configuration_of_any_name_is_run_by_the_workers_too(place):
    (place.folder / "config/recon.yaml").rename(place.folder / "mine.yaml")
    (place.folder / "config/inventory.yaml").rename(place.folder / "inventory.yaml")
    done = place.recon("run", "--json", "--config", "mine.yaml")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"]["published"] > 0
    place.recon("down", "--config", "mine.yaml")


def test_a_broker_that_is_away_is_exit_1_with_a_next_step_through_workers_and_without_them(place):
    reconfigured(
        place, LAKE, LAKE + "\nbroker: redis://127.0.0.1:1\nreconciliation_loop: {max_retries: 1}\n#"
    )
    reconfigured(place, "\nreconciliation_loop:\n  interval_hours: 1", "")
    for words in (("--inline",), ()):
        done = place.recon("run", *words)
        assert done.returncode == 1
        assert "check that the server runs" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_run_is_tried_again_until_the_broker_is_back(place):
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        reconfigured(place, LAKE, LAKE + f"\nbroker: {server.url}\n#")
        server.kill()
        later = threading.Timer(3.0, server.start)
        later.start()
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", "from recon.cli import main; main()", "run", "--inline", "--json"],
            cwd=place.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        later.join()
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - started > 3
        assert json.loads(done.stdout)["tasks"]["published"] > 0
