"""What runs, and what has been done, while ``recon work`` works: a board on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import click

from recon.cli.common import is_terminal

if TYPE_CHECKING:
    from recon.core.tally import Tally

_COLUMNS = ("running", "done", "failed", "absent", "held")


class WorkBoard:
    """Shows a ``Tally`` on stderr, over the last one where that is a terminal; sentences stay above it."""

    def __init__(self) -> None:
        self._live: Any = None
        self._tally: Tally | None = None

    def __enter__(self) -> Self:
        if is_terminal():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(
                console=console, get_renderable=self._drawn, refresh_per_second=4, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, tally: Tally) -> None:
        """Show the counts as they are now."""
        self._tally = tally

    def say(self, text: str) -> None:
        """Say something that stays."""
        if self._live is None:
            click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
        else:
            self._live.console.print(text, markup=False)

    def _drawn(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        if self._tally is None or not self._tally.scrapers:
            return Text("waiting for tasks…", "dim")
        drawn = Table.grid(padding=(0, 2))
        drawn.add_row(Text("scraper", "dim"), *(Text(name, "dim") for name in _COLUMNS))
        for name, counts in list(self._tally.scrapers.items()):
            cells = [str(getattr(counts, column)) for column in _COLUMNS]
            drawn.add_row(name, *(Text(cell, "" if cell != "0" else "dim") for cell in cells))
        return drawn
