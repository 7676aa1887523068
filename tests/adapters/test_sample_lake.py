"""The sample lake is whole, small, the same each time, and its manifest names every planted fault."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recon.adapters.sample_lake import NAME, ensure_sample_lake

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Return the root of a sample lake made at ``NOW``."""
    root = tmp_path_factory.mktemp("sample") / NAME
    assert ensure_sample_lake(root, NOW)
    return root


@pytest.fixture(scope="module")
def manifest(lake):
    """Return what was planted, by kind."""
    return json.loads(lake.with_name(f"{NAME}.manifest.json").read_text())


def sizes(root: Path) -> dict[str, int]:
    """Return the size of every file below ``root`` by its key."""
    return {
        path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*") if path.is_file()
    }


def test_it_holds_about_twenty_thousand_small_files_of_three_sources(lake):
    found = sizes(lake)
    assert 15_000 < len(found) < 25_000
    assert {"nba_api", "hoopr", "basketball_reference", "_catalogs"} == {key.split("/")[0] for key in found}
    assert max(size for key, size in found.items() if not key.startswith("_catalogs/")) < 1000


def test_every_missing_key_of_the_manifest_is_absent_and_every_other_one_is_there(lake, manifest):
    found = sizes(lake)
    assert manifest["missing"]
    assert not found.keys() & set(manifest["missing"])
    assert found.keys() >= {*manifest["small"], *manifest["stale"], *manifest["unexpected"]}


def test_only_the_planted_files_are_small(lake, manifest):
    found = sizes(lake)
    assert {key for key, size in found.items() if size < 100} == set(manifest["small"])


def test_only_the_planted_files_are_old(lake, manifest):
    month_ago = (NOW - timedelta(days=30)).timestamp()
    old = {key for key in sizes(lake) if (lake / key).stat().st_mtime < month_ago}
    assert old == set(manifest["stale"])
    assert old


def test_the_old_files_belong_to_the_season_that_is_played(manifest):
    assert all("/2025-26/" in key for key in manifest["stale"])


def test_the_short_partition_of_the_manifest_is_short(lake, manifest):
    assert manifest["short"] == ["nba_api.player_stats season=2024-25 288/300"]
    assert len(list((lake / "nba_api/player_stats/2024-25").iterdir())) == 288


def test_days_of_the_last_week_are_missing_so_that_a_first_run_has_critical_gaps(manifest):
    days = (NOW - timedelta(days=ago) for ago in range(1, 8))
    week = {f"basketball_reference/daily/{day:%Y/%m/%Y-%m-%d}.json" for day in days}
    assert len(week & set(manifest["missing"])) >= 2


def test_hours_of_the_last_weekend_are_missing_too(manifest):
    hours = {f"nba_api/scoreboards/2026-03-0{day}/{hour:02d}.json" for day in (7, 8) for hour in range(24)}
    assert len(hours & set(manifest["missing"])) >= 2


def test_only_what_is_due_is_left_out_on_purpose(tmp_path):
    saturday = datetime(2026, 3, 7, 14, 20, tzinfo=UTC)
    ensure_sample_lake(tmp_path / NAME, saturday)
    lost = json.loads((tmp_path / f"{NAME}.manifest.json").read_text())["missing"]
    there = sizes(tmp_path / NAME)
    hours = [f"nba_api/scoreboards/2026-03-07/{hour:02d}.json" for hour in range(24)]
    assert [hour for hour in hours if hour not in there] == [*(set(hours) & set(lost)), *hours[15:]]
    assert hours[3] in lost


def test_partitions_that_stay_empty_are_named_with_what_they_want(lake, manifest):
    assert len(manifest["empty"]) > 100
    for line in manifest["empty"]:
        name, _, count = line.removeprefix("basketball_reference.transactions day=").partition(" ")
        assert count == "0/1"
        assert not (lake / "basketball_reference/transactions" / name).exists()


def test_the_same_instant_makes_the_same_lake(lake, manifest, tmp_path):
    again = tmp_path / NAME
    ensure_sample_lake(again, NOW)
    assert sizes(again) == sizes(lake)
    assert json.loads(again.with_name(f"{NAME}.manifest.json").read_text()) == manifest


def test_a_lake_that_is_there_is_left_alone(tmp_path):
    root = tmp_path / NAME
    root.mkdir()
    assert not ensure_sample_lake(root, NOW)
    assert not list(root.iterdir())


def test_a_missing_folder_of_another_name_is_never_made(tmp_path):
    assert not ensure_sample_lake(tmp_path / "my-lake", NOW)
    assert not list(tmp_path.iterdir())


def test_a_lake_that_could_not_be_finished_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.utime", full)
    with pytest.raises(OSError, match="No space left"):
        ensure_sample_lake(tmp_path / NAME, NOW)
    assert not list(tmp_path.iterdir())


def test_it_is_made_within_a_few_seconds(tmp_path):
    before = time.process_time()
    ensure_sample_lake(tmp_path / NAME, NOW)
    assert time.process_time() - before < 8
