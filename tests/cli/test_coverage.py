"""``recon coverage``: a heatmap on a terminal, rows in a pipe, the report's own rows as JSON."""

from __future__ import annotations

import json

from terminal import shown


def test_a_terminal_gets_the_heatmap_and_a_pipe_the_rows(finished):
    on_terminal = shown(finished.folder, "coverage")
    assert "by season" in on_terminal.terminal
    assert "unquantified" in on_terminal.terminal
    piped = finished.recon("coverage").stdout.splitlines()
    assert piped[0].split() == [
        *("data", "type", "partition", "kind", "expected", "have", "stale", "small", "missing"),
        *("not_due", "known_absent", "unknown", "coverage"),
    ]
    assert len(piped) == 1 + len(json.loads(finished.recon("coverage", "--json").stdout))


def test_each_can_be_asked_for_where_the_other_is_usual(finished):
    assert "by season" in finished.recon("coverage", "--heatmap").stdout
    assert "known_absent" in shown(finished.folder, "coverage", "--table", columns=150).terminal


def test_no_color_leaves_glyphs_and_takes_the_colours(finished):
    plain = shown(finished.folder, "coverage", environment={"NO_COLOR": "1"}).terminal
    assert "█" in plain
    assert "\x1b[3" not in plain
    assert "\x1b[3" in shown(finished.folder, "coverage").terminal


def test_an_ascii_terminal_gets_ascii(finished):
    seen = shown(finished.folder, "coverage", environment={"PYTHONIOENCODING": "ascii"})
    assert seen.code == 0
    assert "#" in seen.terminal
    assert seen.terminal.isascii()
