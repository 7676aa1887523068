"""``recon pause`` and ``recon resume``."""

from __future__ import annotations

import json

import pytest
from in_process import called


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "recon.yaml").write_text("lake: lake\ninventory: inventory.yaml\n")
    return tmp_path


def test_a_pause_without_an_end_lasts_until_it_is_resumed(folder):
    told = json.loads(
        called(
            folder,
            (
                "pause",
                "--json",
                "--reason",
                "disks",
            ),
        ).stdout
    )
    assert told["paused"] is True
    assert told["until"] is None
    assert "disks" in called(folder, ("resume",)).stdout
    assert called(folder, ("resume",)).stdout == "it was not paused\n"


@pytest.mark.parametrize("until", ["2h", "2999-01-01T06:00Z", "2999-01-01"])
def test_the_end_is_an_instant_or_a_duration(folder, until):
    done = called(
        folder,
        (
            "pause",
            "--until",
            until,
        ),
    )
    assert done.returncode == 0
    assert "paused until 2" in done.stdout


@pytest.mark.parametrize(("until", "words"), [("soon", "is no time"), ("2001-01-01", "is past")])
def test_an_end_that_cannot_be_is_refused(folder, until, words):
    done = called(
        folder,
        (
            "pause",
            "--until",
            until,
        ),
    )
    assert done.returncode == 2
    assert words in done.stderr


def test_a_record_that_cannot_be_read_begins_nothing_and_can_be_mended(folder):
    called(folder, ("pause",))
    (folder / ".recon" / "pause.json").write_text("{")
    broken = called(folder, ("resume",))
    assert broken.returncode == 0, broken.stderr
    assert called(folder, ("resume",)).stdout == "it was not paused\n"
