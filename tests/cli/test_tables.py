"""Tables fit a terminal by leaving out what is needed least; in a pipe they are whole, plain and aligned."""

from __future__ import annotations

import pytest

from recon.cli.tables import fitted, percent, style, table

HEADINGS = ["data type", "kind", "stale", "missing", "coverage"]
ROWS = [["nba_api.boxscores", "exact", "0", "12", "98.1%"], ["odds.lines", "any", "0", "0", "unquantified"]]


def test_a_pipe_gets_plain_aligned_text(capsys):
    table(HEADINGS, ROWS, right={2, 3, 4})
    assert capsys.readouterr().out.splitlines() == [
        "data type          kind   stale  missing      coverage",
        "nba_api.boxscores  exact      0       12         98.1%",
        "odds.lines         any        0        0  unquantified",
    ]


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (80, [0, 1, 2, 3, 4]),
        (54, [0, 1, 2, 3, 4]),
        (53, [0, 1, 3, 4]),  # nothing but zeros goes first
        (46, [0, 3, 4]),
        (10, [0, 3, 4]),  # what is never spared stays, and is folded
    ],
)
def test_a_narrow_terminal_loses_empty_columns_first_and_needed_ones_never(width, kept):
    assert fitted(HEADINGS, ROWS, width, spare=("kind", "stale")) == kept


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.0%"), (0.9999, "99.9%"), (0.986, "98.6%"), (0.0, "0.0%")]
)
def test_only_a_whole_share_reads_100_percent(share, text):
    assert percent(share) == text


def test_trouble_has_a_colour_and_zero_has_none():
    assert style("missing", "12") == "red"
    assert style("missing", "0") == "dim"
    assert style("priority", "critical") == "bold red"
    assert style("data type", "odds.lines") == ""
