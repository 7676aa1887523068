"""The heatmap says everything by glyphs, fits any width, and never shows as full what is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.cli.heatmap import Cell, Level, cell, heatmap

ZEROS = dict.fromkeys(("ok", "stale", "small", "missing", "not_due", "known_absent", "unknown"), 0)


def row(
    kind: str = "exact",
    partition: dict[str, str] | None = None,
    *,
    source: str = "nba",
    data_type: str = "games",
    expected: int | None = 10,
    coverage: float | None = None,
    **counts: int,
) -> dict[str, Any]:
    """Return a coverage row as a report holds it."""
    have = counts.pop("have", counts.get("ok", 0))
    return {
        "source": source,
        "data_type": data_type,
        "partition": {"season": "2023-24"} if partition is None else partition,
        "kind": kind,
        "expected": expected,
        "have": have,
        **ZEROS,
        **counts,
        "coverage": coverage,
        "threshold": 1.0,
    }


def texts(rows: list[dict[str, Any]], width: int = 100, *, ascii_only: bool = False) -> list[str]:
    return ["".join(text for text, _ in line) for line in heatmap(rows, width, ascii_only=ascii_only)]


@pytest.mark.parametrize(
    ("given_row", "level"),
    [
        (row(ok=10), Level.FULL),
        (row(ok=10, known_absent=2), Level.FULL),
        (row(ok=19, missing=1), Level.HIGH),
        (row(ok=5, stale=5), Level.HALF),
        (row(ok=1, small=9), Level.LOW),
        (row(missing=10), Level.NONE),
        (row(unknown=10), Level.UNKNOWN),
        (row(ok=5, unknown=5), Level.UNKNOWN),
        (row(ok=4, missing=1, unknown=5), Level.HALF),
        (row(not_due=10), Level.NOT_DUE),
        (row(known_absent=10), Level.NOT_DUE),
        (row("counted", have=10, coverage=1.0), Level.FULL),
        (row("counted", have=12, coverage=1.0), Level.FULL),
        (row("counted", have=9, missing=1, coverage=0.9), Level.HALF),
        (row("counted", have=3, unknown=7), Level.UNKNOWN),
        (row("counted", have=3, not_due=7, coverage=0.3), Level.NOT_DUE),
        (row("any", expected=None, have=7), Level.UNQUANTIFIED),
        (row("any", expected=None, missing=1), Level.NONE),
        (row("any", expected=None, unknown=1), Level.UNKNOWN),
        (row("any", expected=None, not_due=1), Level.NOT_DUE),
    ],
)
def test_a_partition_has_the_level_of_its_row(given_row, level):
    assert cell(given_row).level is level


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)).map(
            lambda made: row(ok=made[0], missing=made[1], unknown=made[2])
        ),
        min_size=1,
    )
)
def test_a_pooled_cell_is_full_only_when_every_partition_in_it_is_or_is_not_due(rows):
    cells = [cell(item) for item in rows]
    pooled = sum(cells, Cell()).level
    levels = {item.level for item in cells}
    assert (pooled is Level.FULL) == (Level.FULL in levels and levels <= {Level.FULL, Level.NOT_DUE})


def test_every_level_has_a_glyph_of_its_own_with_and_without_unicode():
    for ascii_only in (False, True):
        glyphs = [level.glyph(ascii_only=ascii_only) for level in Level]
        assert len(set(glyphs)) == len(Level)
        assert {len(glyph) for glyph in glyphs} == {1}
    assert all(level.glyph(ascii_only=True).isascii() for level in Level)


@pytest.mark.parametrize(("got", "text"), [(999, "99%"), (1000, "100%"), (1, "<1%"), (0, "0%")])
def test_a_share_is_never_rounded_to_all_or_nothing(got, text):
    assert Cell(got, 1000).percent == text


SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(2014, 2024)]


def seasons(**counts: int) -> list[dict[str, Any]]:
    return [row(partition={"season": season}, **counts) for season in SEASONS]


def test_a_wide_terminal_names_every_partition_and_its_share():
    assert texts(seasons(ok=9, missing=1), 110)[:2] == [
        "by season  " + " ".join(SEASONS),
        "nba.games  " + "▒ 90%   " * 10 + " ▒ 90%  ",
    ]


def test_a_narrow_terminal_names_the_first_and_the_last():
    lines = texts(seasons(ok=10), 50)
    assert lines[0] == "by season  2014-15     2023-24"
    assert lines[1].startswith("nba.games  " + "█ " * 10)


def test_a_very_narrow_terminal_pools_partitions_and_says_so():
    rows = [*seasons(ok=10)[:9], row(partition={"season": SEASONS[9]}, missing=10)]
    lines = texts(rows, 20)
    assert "2 to a cell" in lines[0]
    assert "████▒" in "".join(lines)


@pytest.mark.parametrize("width", [30, 50, 80, 130, 200])
def test_no_line_of_cells_is_wider_than_the_terminal(width):
    days = [row(partition={"day": f"2024-{n // 28 + 1:02d}-{n % 28 + 1:02d}"}, ok=n % 2) for n in range(330)]
    for line in texts([*seasons(ok=1), *days], width):
        assert len(line.rstrip()) <= width or "to a cell" in line


def test_types_cut_by_other_names_or_steps_stand_apart():
    rows = [
        row(partition={"season": "2023-24"}, ok=1),
        row(partition={"day": "2024-01"}, data_type="months", ok=1),
        row(partition={"day": "2024-01-01"}, data_type="days", ok=1),
        row(partition={}, data_type="one", ok=1),
    ]
    titles = [line.split()[0:2] for line in texts(rows) if line.startswith(("by ", "as "))]
    assert titles == [["by", "season"], ["by", "day"], ["by", "day"], ["as", "a"]]


def test_a_partition_that_a_type_does_not_have_is_blank():
    rows = [*seasons(ok=1), row(data_type="late", partition={"season": SEASONS[-1]}, ok=1)]
    late = next(line for line in texts(rows, 50) if line.startswith("nba.late"))
    assert late.startswith("nba.late   " + "  " * 9 + "█ ")


def test_rows_of_several_kinds_are_told_apart():
    lines = texts([row(ok=1), row("counted", have=10, coverage=1.0)])
    assert any(line.startswith("nba.games (exact)") for line in lines)
    assert any(line.startswith("nba.games (counted)") for line in lines)


def test_long_names_are_never_cut():
    name = "advanced_box_scores_with_every_factor_there_is"
    lines = texts([row(data_type=name, ok=10)], 60)
    assert "nba" in lines
    assert f"  {name}" in lines


def test_the_legend_explains_every_glyph():
    legend = "".join(texts(seasons(ok=1), 200)[-1:])
    for level in Level:
        assert level.glyph(ascii_only=False) in legend
