"""The main job on the sample lake, through real Celery workers and a real Valkey."""

from __future__ import annotations

import json
import shutil

import pytest
from engine_place import new_place


@pytest.fixture
def empty_place(tmp_path):
    """A place as a new user's: the first run makes the lake."""
    made = new_place(tmp_path)
    yield made
    made.recon("down")


def replace(path, content: bytes) -> None:
    """Write a new object: the old one's bytes are those of the shared lake."""
    path.unlink()
    path.write_bytes(content)


def test_a_first_run_finds_exactly_the_planted_faults_and_a_second_run_queues_nothing_twice(empty_place):
    place = empty_place
    first = place.run()
    planted = place.manifest
    found = place.gap_keys()
    for reason in ("missing", "small", "stale"):
        assert sorted(key for key, why in found.items() if why == reason) == sorted(planted[reason])
        assert first["verdicts"][reason] == len(planted[reason])
    incomplete = [key for key, why in found.items() if why == "incomplete"]
    assert sorted(incomplete) == sorted([*planted["short"], *planted["empty"]])
    assert first["verdicts"]["known_absent"] == 1
    assert first["verdicts"]["unknown"] == 0
    assert first["unexpected"] == len(planted["unexpected"])
    assert sum(first["verdicts"].values()) == first["expected"]["exact_keys"]
    assert first["tasks"]["published"] == first["tasks"]["outstanding"] > 0

    second = place.run()
    assert second["tasks"]["published"] == 0
    assert second["tasks"]["outstanding"] == first["tasks"]["outstanding"]
    assert second["verdicts"] == first["verdicts"]


def test_deleted_files_are_queued_and_restored_ones_are_withdrawn(own_place):
    place = own_place
    before = place.run("--inline")
    known = place.gap_keys()
    victims = [
        key
        for key in (f"nba_api/team_stats/2019-20/{team}/base.json" for team in ("ATL", "BOS", "DEN", "LAL"))
        if key not in known
    ]
    kept = {key: (place.lake / key).read_bytes() for key in victims}
    for key in victims:
        (place.lake / key).unlink()

    place.run("--inline")
    assert set(place.gap_keys()) - set(known) == set(victims)
    queued = json.loads((place.folder / "inventory/gaps.json").read_text())
    assert set(victims) <= {key for task in queued["tasks"] for key in task["keys"]}

    for key, content in kept.items():
        (place.lake / key).write_bytes(content)
    after = place.run("--inline")
    assert after["tasks"]["withdrawn"] > 0
    assert after["tasks"]["outstanding"] == before["tasks"]["outstanding"]
    assert place.gap_keys() == known


def test_a_dry_run_publishes_nothing(place):
    dry = place.run("--inline", "--dry-run")
    assert dry["dry_run"] is True
    assert dry["tasks"]["published"] > 0
    assert place.run("--inline")["tasks"]["duplicate"] == 0


def test_a_folder_that_cannot_be_reached_is_an_error_with_a_next_step(place):
    config = place.folder / "config/recon.yaml"
    config.write_text(config.read_text().replace("lake: sample-lake", "lake: file:///nowhere/at/all"))
    done = place.recon("run", "--inline")
    assert done.returncode == 1
    assert "/nowhere/at/all" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelled_key_is_named_with_its_place_and_a_suggestion(place):
    inventory = place.folder / "config/inventory.yaml"
    inventory.write_text(inventory.read_text().replace("path_patterns", "path_paterns", 1))
    done = place.recon("validate")
    assert done.returncode == 2
    assert "path_patterns" in done.stderr
    assert "inventory.yaml:" in done.stderr


def test_commands_of_later_releases_say_so(place):
    done = place.recon("simulate", "--at", "now")
    assert done.returncode == 2
    assert "not yet available" in done.stderr


def test_explain_names_the_verdict_and_the_rule(place):
    place.run("--inline")
    (key, *_) = place.manifest["missing"]
    explained = json.loads(place.recon("explain", key, "--json").stdout)
    assert explained["verdict"] == "missing"
    assert explained["priority"] in {"critical", "high", "medium", "low"}
    assert explained["rule"]


def test_a_selection_leaves_everything_else_unknown_and_withdraws_nothing(place):
    everything = place.run("--inline")
    narrow = place.run("--inline", "--select", "source:hoopr")
    assert narrow["verdicts"]["unknown"] > 0
    assert narrow["tasks"]["withdrawn"] == 0
    assert narrow["tasks"]["outstanding"] == everything["tasks"]["outstanding"]


def test_an_unreadable_catalog_is_stood_in_for_by_its_last_good_copy(own_place):
    place = own_place
    before = place.run("--inline")
    games = place.lake / "_catalogs/games.csv"
    whole = games.read_bytes()
    for content in (b"", b"\x00" * 1000, whole[: len(whole) // 4]):
        replace(games, content)
        report = place.run("--inline")
        assert report["skipped"] == []
        assert report["verdicts"] == before["verdicts"]
        assert any("last good copy" in line for line in report["warnings"])
        assert report["tasks"]["withdrawn"] == report["tasks"]["published"] == 0
        assert report["tasks"]["outstanding"] == before["tasks"]["outstanding"]
    replace(games, whole)
    assert not any("last good copy" in line for line in place.run("--inline")["warnings"])


def test_an_unreadable_catalog_without_a_copy_skips_its_types_says_so_and_exits_4(own_place):
    place = own_place
    before = place.run("--inline")
    shutil.rmtree(place.folder / ".recon/catalogs")
    replace(place.lake / "_catalogs/games.csv", b"")
    done = place.recon("run", "--inline", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 4
    assert report["skipped"] == ["nba_api.boxscores"]
    assert any("games" in line for line in report["warnings"])
    assert report["tasks"]["withdrawn"] == 0
    assert report["tasks"]["outstanding"] == before["tasks"]["outstanding"]
