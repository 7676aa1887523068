"""``recon run`` and ``recon plan``: one cycle, for real or dry."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import click

from recon.cli.common import common, is_terminal, print_json
from recon.cli.summary import print_summary

_LEVELS = ("critical", "high", "medium", "low")


@click.command()
@common
@click.option("--dry-run", is_flag=True, help="Look and compare; publish and withdraw nothing.")
@click.option("--inline", is_flag=True, help="In this process, without Celery workers.")
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
@click.option("--fail-on", type=click.Choice(_LEVELS), help="Exit 3 on gaps of this level or above.")
@click.option("--use-cache", is_flag=True, help="Not yet available.")
def run(
    config: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
    inline: bool,
    select: tuple[str, ...],
    fail_on: str | None,
    use_cache: bool,
) -> None:
    """Run one cycle: look at the lake, find the gaps, publish scraper tasks."""
    if use_cache:
        raise click.UsageError("--use-cache is not yet available in this release")
    flags: dict[str, Any] = {"select": list(select)}
    if dry_run:
        flags["dry_run"] = True
    _finish(_cycle(config, flags, inline=inline), as_json=as_json, fail_on=fail_on)


@click.command()
@common
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
@click.option("-o", "output", type=click.Path(path_type=Path, dir_okay=False), help="Write the JSON here.")
def plan(config: Path | None, *, as_json: bool, select: tuple[str, ...], output: Path | None) -> None:
    """Show what a run would do, and change nothing."""
    document = _cycle(config, {"select": list(select), "dry_run": True}, inline=True)
    if output is not None:
        _write(output, document)
    _finish(document, as_json=as_json, fail_on=None)


def _write(output: Path, document: dict[str, Any]) -> None:
    import json

    aside = output.with_name(f".{output.name}.part")
    aside.write_text(json.dumps(document, indent=2), encoding="utf-8")
    aside.replace(output)


def _cycle(config: Path | None, flags: dict[str, Any], *, inline: bool) -> dict[str, Any]:
    from recon import wiring
    from recon.core.selection import parse_selection
    from recon.settings import child_environment
    from workers import driver

    for text in flags["select"]:
        parse_selection(text)
    chosen = wiring.settings(config)
    wired = wiring.engine(chosen)
    with _Progress() as progress:
        if inline:
            return driver.run_inline(wired, flags, progress.show)
        return driver.run_cycle(wired, child_environment(chosen), flags, progress.show)


def _finish(document: dict[str, Any], *, as_json: bool, fail_on: str | None) -> None:
    if as_json:
        print_json(document)
    else:
        print_summary(document)
    if document["observed"]["shards"]["failed"] or document["skipped"]:
        raise SystemExit(4)
    if fail_on is not None:
        levels = _LEVELS[: _LEVELS.index(fail_on) + 1]
        if any(document["gaps"]["by_priority"][level] for level in levels):
            raise SystemExit(3)


class _Progress:
    """A bar of shards on stderr, when it is a terminal."""

    def __enter__(self) -> Self:
        self._bar: Any = None
        if is_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("scanning shards"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("shards", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, planned: int) -> None:
        """Show how many shards have reported."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=planned)
