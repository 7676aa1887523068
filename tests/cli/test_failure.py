"""Whatever goes wrong comes out in words and an exit code; a traceback only for who asks."""

from __future__ import annotations

import shutil

import pytest
from engine_place import EnginePlace


@pytest.fixture
def broken(finished, tmp_path):
    """Return a copy of a finished place whose state holds something that no release ever wrote."""
    shutil.copytree(finished.folder / "config", tmp_path / "config")
    (tmp_path / ".recon").mkdir()
    (tmp_path / ".recon" / "latest.json").write_text("[]")
    return EnginePlace(tmp_path)


def test_what_nobody_foresaw_is_one_line_with_the_next_step(broken):
    done = broken.recon("gaps")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("recon: unexpected TypeError: ")
    assert "--debug" in line


@pytest.mark.parametrize("words", [("--debug", "gaps"), ("gaps", "--debug")])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(broken, words):
    done = broken.recon(*words)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("recon: unexpected TypeError: ")


def test_debug_keeps_a_known_error_s_exit_code(broken):
    done = broken.recon("gaps", "--debug", "--config", "nowhere.yaml")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_json_mode_leaves_errors_on_stderr(broken):
    done = broken.recon("coverage", "--json", "--config", "nowhere.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("recon: nowhere.yaml: ")


def test_a_file_that_cannot_be_written_is_named(finished):
    done = finished.recon("plan", "-o", "no/such/folder/plan.json")
    assert done.returncode == 1
    assert "no/such/folder/" in done.stderr
    assert "Next: " in done.stderr
    assert "Traceback" not in done.stderr
