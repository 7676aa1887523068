"""Tables and sentences for people: fitted to a terminal and coloured by rich, plain and aligned in a pipe."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any

import click

#: A space at which no line is broken.
BOUND = "\N{NO-BREAK SPACE}"
#: Cells between two columns.
_GAP = 2
#: Heading -> the colour of a count there that is not zero.
_TROUBLE = {"missing": "red", "small": "yellow", "stale": "yellow", "unknown": "magenta"}
_WORDS = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "missing": "red",
    "incomplete": "red",
    "stale": "yellow",
    "small": "yellow",
    "unknown": "magenta",
    "unquantified": "blue",
}


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    spare: Collection[str] = (),
) -> None:
    """Print a table.

    Args:
        headings: The columns' names.
        rows: Their texts.
        right: Numbers of the columns that are aligned right.
        spare: Columns that a narrow terminal may leave out, the least needed first; a pipe gets them all.
    """
    if sys.stdout.isatty():
        _rich_table(headings, rows, right, spare)
        return
    widths = _widths(headings, rows)
    for row in [headings, *rows]:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence; a terminal gets it broken between words, but not at a ``BOUND`` space."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)
    click.echo(text.replace(BOUND, " "), err=err)


def percent(share: float) -> str:
    """Return a share with one decimal; only a whole one is 100%."""
    text = f"{share:.1%}"
    return "99.9%" if text == "100.0%" and share < 1 else text


def fitted(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Collection[str]
) -> list[int]:
    """Return the numbers of the columns to show in ``width`` cells.

    Columns of nothing but zeros go first, then the others of ``spare`` in order; what is left may still be
    too wide, and is then folded.
    """
    widths = _widths(headings, rows)
    kept = list(range(len(headings)))
    named = [list(headings).index(name) for name in spare]
    empty = [column for column in named if _is_empty(column, rows)]
    for column in [*empty, *(column for column in named if column not in empty)]:
        if sum(widths[number] for number in kept) + _GAP * (len(kept) - 1) <= width:
            break
        kept.remove(column)
    return kept


def style(heading: str, text: str) -> str:
    """Return the colour of one cell."""
    if heading in _TROUBLE:
        return _TROUBLE[heading] if text not in {"0", "-"} else "dim"
    if heading == "coverage" and text.endswith("%"):
        share = float(text[:-1])
        return "green" if share == 100 else "yellow" if share >= 50 else "red"
    return _WORDS.get(text, "")


def _rich_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int], spare: Collection[str]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    kept = fitted(headings, rows, console.width, spare)
    drawn: Any = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    widths = _widths(headings, rows)
    for column in kept:
        justify: Any = "right" if column in right else "left"
        is_whole = column in right or widths[column] <= console.width // 3
        drawn.add_column(Text(headings[column]), justify=justify, no_wrap=is_whole, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(row[column], style(headings[column], row[column])) for column in kept))
    console.print(drawn)
    left_out = [number for number in range(len(headings)) if number not in kept]
    if left_out:
        names = ", ".join(f"{headings[n]} (all 0)" if _is_empty(n, rows) else headings[n] for n in left_out)
        console.print(Text(f"not shown, for width: {names}", "dim"))


def _is_empty(column: int, rows: Sequence[Sequence[str]]) -> bool:
    return all(row[column] in {"0", "-"} for row in rows)


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
