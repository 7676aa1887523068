"""The bar: on a terminal's stderr while a cycle runs, and nowhere else."""

from __future__ import annotations

import json

from terminal import shown

from recon.cli.progress_bar import details, headline
from recon.core.progress import Phase, RunProgress


def test_a_scan_shows_shards_what_is_left_rates_and_the_slowest():
    standing = RunProgress(Phase.SCANNING, 3, 16, 12_345, 67, 1234.6, 75.2, "nba_api/boxscores/", 12.4)
    assert headline(standing) == "3/16 shards, about 1 min 15 s left"
    assert details(standing) == [
        "12,345 objects, 1,235/s, 67 requests",
        "slowest shard (12 s): nba_api/boxscores/",
    ]


def test_planning_shows_no_numbers():
    assert headline(RunProgress(Phase.PLANNING)) == ""
    assert details(RunProgress(Phase.PLANNING)) == []


def test_a_terminal_sees_the_phases_and_stdout_only_the_result(finished):
    seen = shown(finished.folder, "run", "--json", is_piped="stdout")
    assert seen.code == 0
    assert json.loads(seen.piped)["schema"] == "recon.cycle/1"
    for phase in (Phase.STARTING, Phase.SCANNING):
        assert f"{phase.value}…" in seen.terminal
    assert "shards" in seen.terminal


def test_a_stderr_that_is_no_terminal_gets_nothing(finished):
    seen = shown(finished.folder, "run", "--inline", is_piped="stderr")
    assert seen.code == 0
    assert seen.piped == ""
    assert "cycle " in seen.terminal
