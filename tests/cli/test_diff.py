"""``recon diff`` tells what changed between two recorded cycles, ``recon status`` how the runs went."""

from __future__ import annotations

import json

import pytest
from engine_place import EnginePlace

INVENTORY = """\
dimensions:
  season: {seasons: "2020-21..2021-22"}
  n: {integers: "1..4"}
expected_coverage: {box: {data_types: {scores: {path_patterns: ["box/{season}/{n}.json"]}}}}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config/recon.yaml").write_text(f"lake: file://{tmp_path}/lake\n")
    (tmp_path / "lake").mkdir()
    found = EnginePlace(tmp_path)
    yield found
    found.recon("down")


def put(place, *keys: str) -> None:
    for key in keys:
        file = place.folder / "lake" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def json_of(place, *words):
    done = place.recon(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


OLD = [f"box/2020-21/{n}.json" for n in range(1, 5)]
NEW = [f"box/2021-22/{n}.json" for n in range(1, 5)]


@pytest.fixture
def changed(place):
    put(place, *OLD, *NEW[:1])
    first = place.run("--inline")["cycle_id"]
    (place.folder / "lake" / OLD[0]).unlink()
    put(place, *NEW[1:])
    place.run("--inline", "--dry-run")
    return place, first, place.run("--inline")["cycle_id"]


def test_by_default_the_last_two_real_cycles_are_compared(changed):
    place, first, second = changed
    found = json_of(place, "diff")
    assert (found["from"]["cycle_id"], found["to"]["cycle_id"]) == (first, second)
    (opened,), (closed,) = found["gaps"]["opened"], found["gaps"]["closed"]
    assert (opened["partition"], opened["size"]) == ({"season": "2020-21"}, 1)
    assert (closed["partition"], closed["size"], closed["why"]) == ({"season": "2021-22"}, 3, "filled")
    assert [(row["before"], row["after"]) for row in found["coverage"]["partitions"]] == [
        (1.0, 0.75),
        (0.25, 1.0),
    ]
    words = place.recon("diff").stdout
    assert "1 opened, 1 closed, 0 changed, 0 as before" in words
    assert "closed: filled" in words
    assert "coverage over all: 62.5% before, 87.5% now" in words


def test_two_cycles_may_be_named_in_either_order(changed):
    place, first, second = changed
    back = json_of(place, "diff", second, first)["gaps"]
    assert (back["opened"][0]["size"], back["closed"][0]["size"]) == (3, 1)


def test_a_selection_narrows_what_is_told(changed):
    place, _, _ = changed
    found = json_of(place, "diff", "--select", "season:2021-22")
    assert (found["gaps"]["opened"], len(found["gaps"]["closed"])) == ([], 1)
    assert len(found["coverage"]["partitions"]) == 1


def test_what_a_cycle_did_not_look_at_is_not_told_as_closed(changed):
    place, _, _ = changed
    place.run("--inline", "--select", "season:2021-22")
    found = json_of(place, "diff")["gaps"]
    assert (found["closed"], [gap["partition"] for gap in found["unseen"]]) == ([], [{"season": "2020-21"}])
    assert "1 not looked at" in place.recon("diff").stdout


def test_an_unknown_cycle_is_answered_with_the_known_ones(changed):
    place, first, second = changed
    done = place.recon("diff", first, "nonsense")
    assert done.returncode == 2
    assert "no finished cycle nonsense; known cycles: " in done.stderr
    assert first in done.stderr
    assert second in done.stderr


def test_one_cycle_alone_is_a_usage_error_and_one_that_is_there_is_too_few(place):
    put(place, *OLD)
    place.run("--inline")
    assert place.recon("diff", "x").returncode == 2
    done = place.recon("diff")
    assert (done.returncode, "history has only cycle" in done.stderr) == (2, True)


# ---- status


def test_status_tells_the_rate_the_last_run_and_the_last_good_one(changed):
    place, _, second = changed
    (place.folder / "config/inventory.yaml").write_text("nonsense: 1\n")
    assert place.recon("run", "--inline").returncode == 2
    found = json_of(place, "status")
    runs = found["runs"]
    assert (runs["kept"], runs["finished"], runs["failed"]) == (4, 2, 1)
    assert runs["success_rate"] == pytest.approx(2 / 3)
    assert (runs["last_run"]["outcome"], runs["last_good_run"]["cycle_id"]) == ("failed", second)
    assert (found["cycle_id"], found["troubles"]) == (second, {})
    words = place.recon("status").stdout
    assert "2 finished, 1 failed (66.7% finished)" in words
    assert f"last good run: {second} finished" in words


def test_status_before_the_first_finished_cycle_tells_the_failed_ones(place):
    (place.folder / "lake").rmdir()
    (place.folder / "config/recon.yaml").write_text(
        f"lake: file://{place.folder}/lake\nreconciliation_loop: {{max_retries: 0}}\n"
    )
    assert place.recon("status").returncode == 1
    assert place.recon("run", "--inline").returncode == 1
    done = place.recon("status")
    assert done.returncode == 0
    assert "0 finished, 1 failed" in done.stdout
    assert json_of(place, "status")["cycle_id"] is None
    assert place.recon("status", "--metric", "reconciliation_total_gaps").returncode == 1


def test_a_metric_is_printed_bare(changed):
    place, _, _ = changed
    assert place.recon("status", "--metric", "reconciliation_total_gaps").stdout == "1\n"


def test_status_tells_what_failed_after_cycles(place):
    put(place, *OLD)
    (place.folder / "inventory").mkdir()
    (place.folder / "inventory/metrics.yaml").write_text("not: [yaml\n")
    place.run("--inline")
    assert "after cycles, dims failed 1 time, last at" in place.recon("status").stdout
    assert json_of(place, "status")["troubles"]["dims"]["count"] == 1
