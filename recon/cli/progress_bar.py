"""The bar on a terminal's stderr while a cycle runs: shards, rates, what is left, and what holds it up."""

from __future__ import annotations

import time
from typing import Any, Self

import click

from recon.cli.common import is_terminal
from recon.core.durations import duration_words
from recon.core.progress import Phase, RunProgress

#: A shard that has run for less than this holds nothing up.
_SLOW_S = 2.0
_BAR_CELLS = 24


def details(standing: RunProgress) -> list[str]:
    """Return the lines below the bar."""
    lines = []
    if standing.objects or standing.requests:
        asked = f", {standing.requests:,} requests" if standing.requests else ""  # a folder takes none
        lines.append(f"{standing.objects:,} objects, {standing.objects_per_s:,.0f}/s{asked}")
    if standing.oldest and standing.oldest_s >= _SLOW_S:
        lines.append(f"slowest shard ({standing.oldest_s:.0f} s): {standing.oldest}")
    return lines


def headline(standing: RunProgress) -> str:
    """Return the words beside the bar."""
    if not standing.planned:
        return ""
    words = f"{standing.done}/{standing.planned} shards"
    if standing.phase is Phase.SCANNING and standing.eta_s is not None:
        words += f", about {duration_words(standing.eta_s)} left"
    return words


class ProgressBar:
    """Draws a ``RunProgress``, over the last one; draws nothing unless stderr is a terminal."""

    def __init__(self) -> None:
        self._live: Any = None
        self._wanted = is_terminal()
        self._standing = RunProgress(Phase.STARTING)
        self._since = (Phase.STARTING, time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, standing: RunProgress) -> None:
        """Show how far the cycle is."""
        if not self._wanted:
            return
        if standing.phase is not self._since[0]:
            self._since = (standing.phase, time.monotonic())
        self._standing = standing
        if self._live is None:
            # Imported here: by now the workers are starting, and they take longer.
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            console = Console(stderr=True, highlight=False)
            self._spinner = Spinner("dots")
            self._live = Live(
                console=console, get_renderable=self._drawn, refresh_per_second=10, transient=True
            )
            self._live.start()

    def say(self, text: str) -> None:
        """Say something that stays, above the bar."""
        if not self._wanted:
            return
        if self._live is None:
            click.echo(f"recon: {text}", err=True)
        else:
            self._live.console.print(f"recon: {text}", markup=False)

    def close(self) -> None:
        """Take the bar away."""
        if self._live is not None:
            self._live.stop()
        self._live, self._wanted = None, False

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar as Bar
        from rich.table import Table
        from rich.text import Text

        standing = self._standing
        phase, since = self._since
        first = Table.grid(padding=(0, 1))
        cells: list[Any] = [self._spinner, Text(f"{phase.value}…")]
        if standing.planned:
            cells.append(Bar(standing.planned, standing.done, width=_BAR_CELLS))
            cells.append(Text(headline(standing)))
        else:
            cells.append(Text(f"{time.monotonic() - since:.0f} s", "dim"))
        first.add_row(*cells)
        below = [Text(f"  {line}", "dim", no_wrap=True, overflow="ellipsis") for line in details(standing)]
        return Group(first, *below)
