"""``recon coverage``: how complete each partition was in the last finished cycle."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import percent, table

_COLUMNS = ("expected", "have", "stale", "small", "missing", "not_due", "known_absent", "unknown")
#: What a narrow terminal may leave out, the least needed first.
_SPARE = ("known_absent", "unknown", "not_due", "stale", "small", "kind")


@click.command()
@common
@click.option(
    "--table/--heatmap",
    "as_table",
    default=None,
    help="One row per partition, or one glyph (default: glyphs on a terminal, rows in a pipe).",
)
def coverage(config: Path | None, *, as_json: bool, as_table: bool | None) -> None:
    """Show the coverage of the last finished cycle."""
    from recon import access
    from recon.last_cycle import latest, report

    state = access.state(access.settings(config))
    document: dict[str, Any] = report(state, latest(state))
    rows = document["coverage"]
    if as_json:
        print_json(rows)
    elif as_table or (as_table is None and not sys.stdout.isatty()):
        headings = ["data type", "partition", "kind", *_COLUMNS, "coverage"]
        table(headings, [_line(row) for row in rows], right=set(range(3, len(headings))), spare=_SPARE)
    else:
        _print_heatmap(rows)


def _line(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['source']}.{row['data_type']}",
        ",".join(f"{name}={value}" for name, value in row["partition"].items()) or "-",
        row["kind"],
        *("-" if row[column] is None else f"{row[column]:,}" for column in _COLUMNS),
        _share(row),
    ]


def _share(row: dict[str, Any]) -> str:
    if row["kind"] == "any":
        return "unquantified"
    return "unknown" if row["coverage"] is None else percent(row["coverage"])


def _print_heatmap(rows: list[dict[str, Any]]) -> None:
    from recon.cli.heatmap import heatmap

    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    lines = heatmap(rows, shutil.get_terminal_size().columns, ascii_only=ascii_only)
    if not sys.stdout.isatty():
        for line in lines:
            click.echo("".join(text for text, _ in line).rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text.assemble(*line, overflow="ignore", no_wrap=True), crop=False)
