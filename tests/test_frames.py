"""Coverage, gaps and history as DataFrames: their columns and dtypes are a promise."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys

import pandas as pd
import pytest
from engine_place import sampled_place

import recon

INSTANT = "datetime64[ms, UTC]"
GROUP = {"source": "text", "data_type": "text", "partition": "text"}
COVERAGE = {
    "cycle_id": "text",
    "started_at": INSTANT,
    **GROUP,
    "kind": "text",
    "expected": "Int64",
    **dict.fromkeys(
        ("have", "ok", "stale", "small", "missing", "not_due", "known_absent", "unknown"), "int64"
    ),
    "coverage": "Float64",
    "threshold": "float64",
}
GAPS = {
    "cycle_id": "text",
    "started_at": INSTANT,
    **GROUP,
    "reason": "text",
    "priority": "text",
    "keys": "int64",
    "have": "Int64",
    "expected": "Int64",
    "first_seen_at": INSTANT,
}
HISTORY = {
    "cycle_id": "text",
    "started_at": INSTANT,
    "finished_at": INSTANT,
    "duration_s": "float64",
    "outcome": "text",
    "dry_run": "bool",
    "exit_code": "int64",
    "kind": "text",
    "message": "text",
    **dict.fromkeys(("objects", "expected", "missing", "gaps", "gap_keys"), "Int64"),
    **dict.fromkeys(("critical", "high", "medium", "low"), "Int64"),
    "coverage": "Float64",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory, sample):
    made = sampled_place(tmp_path_factory.mktemp("frames"), sample)
    made.run("--inline")
    made.run("--inline", "--dry-run")
    yield made
    made.recon("down")


@pytest.fixture
def config(place, monkeypatch):
    monkeypatch.chdir(place.folder)
    monkeypatch.delenv("RECON_CONFIG", raising=False)
    return place.folder / "config/recon.yaml"


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {
        name: "text" if pd.api.types.is_string_dtype(frame[name]) else str(frame[name].dtype)
        for name in frame.columns
    }


def test_coverage_is_the_last_cycles_and_has_its_columns(place, config):
    frame = recon.coverage(config)
    assert dtypes(frame) == COVERAGE
    rows = json.loads(place.recon("coverage", "--json").stdout)
    assert len(frame) == len(rows)
    assert [json.loads(text) for text in frame["partition"]] == [row["partition"] for row in rows]
    assert frame["coverage"].isna().sum() == sum(row["coverage"] is None for row in rows)


def test_gaps_are_those_of_the_command_line(place, config):
    frame = recon.gaps()
    assert dtypes(frame) == GAPS
    rows = json.loads(place.recon("gaps", "--json").stdout)
    assert [(row["data_type"], row["reason"], row["keys"]) for row in rows] == list(
        zip(frame["data_type"], frame["reason"], frame["keys"], strict=True)
    )


def test_history_has_a_row_for_each_run(config):
    frame = recon.history(str(config))
    assert dtypes(frame) == HISTORY
    assert (frame["outcome"].tolist(), frame["dry_run"].tolist()) == (["finished"] * 2, [False, True])
    assert frame["gaps"].iloc[0] > 0


def test_frames_of_nothing_keep_their_columns(tmp_path):
    (tmp_path / "inventory.yaml").write_text("expected_coverage: {}\n")
    (tmp_path / "recon.yaml").write_text(f"lake: file://{tmp_path}/lake\nstate: {tmp_path}/state\n")
    frame = recon.history(tmp_path / "recon.yaml")
    assert (len(frame), list(frame.columns)) == (0, list(HISTORY))
    with pytest.raises(Exception, match="no cycle has finished yet"):
        recon.coverage(tmp_path / "recon.yaml")


def test_importing_recon_stays_light():
    code = "import sys, recon; print(*sys.modules)"
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"pandas", "polars", "numpy", "pydantic", "yaml"} & set(words.split())


def test_no_module_takes_the_place_of_a_function():
    names = {module.name for module in pkgutil.iter_modules(recon.__path__)}
    assert not names & set(recon.__all__)
    importlib.import_module("recon.frames")
    assert all(callable(getattr(recon, name)) for name in ("coverage", "gaps", "history"))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = recon.nonsense
