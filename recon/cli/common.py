"""What the commands share: their common options, and how JSON is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from recon.cli.failure import DEBUG
from recon.core.printable import escaped, printable

_Command = TypeVar("_Command", bound=Callable[..., Any])


def common(command: _Command) -> _Command:
    """Add ``--config``, ``--json`` and ``--debug`` to a command."""
    for option in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Show the traceback of an error.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="recon.yaml (default: RECON_CONFIG, else config/recon.yaml).",
        ),
    ):
        command = option(command)
    return command


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(escaped(json.dumps(document, indent=2, ensure_ascii=False, default=str)))


def print_outcomes(told: Mapping[str, str], *, as_json: bool) -> None:
    """Print what became of each name, one a line."""
    if as_json:
        print_json(told)
        return
    for name, word in told.items():
        click.echo(f"{printable(name)}: {word}")


def is_terminal() -> bool:
    """Tell whether progress may be shown: stderr is a terminal."""
    return sys.stderr.isatty()


def _remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value:
        ctx.meta[DEBUG] = True
