"""``recon brake`` shows what is held, and has a loss believed when somebody says so."""

from __future__ import annotations

import json
import shutil

import pytest
from engine_place import own_sampled_place

SCOPE = "source:hoopr+type:play_by_play"


@pytest.fixture(scope="module")
def place(tmp_path_factory, sample):
    made = own_sampled_place(tmp_path_factory.mktemp("braked"), sample)
    made.run("--inline")
    shutil.rmtree(made.lake / "hoopr")
    made.run("--inline")
    yield made
    made.recon("down")


def test_nothing_held_is_said_with_the_baseline(finished):
    shown = finished.recon("brake", "status")
    assert shown.returncode == 0
    assert shown.stdout.startswith("nothing is held back; the baseline is cycle ")


def test_a_loss_is_shown_and_released_and_then_queued(place):
    (row,) = json.loads(place.recon("brake", "status", "--json").stdout)["held"]
    assert (row["scope"], row["vanished"], row["released"]) == (SCOPE, row["before"], False)
    shown = place.recon("brake", "status").stdout
    assert SCOPE in shown
    assert "more than half is gone" in shown
    assert "recon brake release SCOPE" in shown

    asked = place.recon("brake", "release", SCOPE)
    assert (asked.returncode, "Pass --yes" in asked.stderr) == (2, True)
    wrong = place.recon("brake", "release", "--yes", "source:hopr")
    assert (wrong.returncode, f"what is held: {SCOPE}" in wrong.stderr) == (2, True)

    done = place.recon("brake", "release", "--yes")
    assert done.stdout.splitlines()[0] == f"released: {SCOPE}"
    assert "released: with the next complete cycle" in place.recon("brake", "status").stdout
    again = place.recon("brake", "release", "--yes", "--json")
    assert json.loads(again.stdout) == {"released": []}

    report = place.run("--inline")
    assert report["brake"]["held"] == []
    assert report["tasks"]["published"] > 0
