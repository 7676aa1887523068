"""What the commands share: their common options, the chosen settings, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def common(command: _Command) -> _Command:
    """Add ``--config`` and ``--json`` to a command."""
    command = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="recon.yaml (default: RECON_CONFIG, else config/recon.yaml).",
    )(command)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def is_terminal() -> bool:
    """Tell whether progress may be shown."""
    return sys.stderr.isatty()


def table(headings: list[str], rows: list[list[str]], *, right: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    """Print a plain table, one line a row, columns two spaces apart."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    for row in [headings, *rows]:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
