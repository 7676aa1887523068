"""``recon run`` and ``recon plan``: one cycle, for real or dry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json
from recon.cli.cost_words import cost_lines
from recon.cli.pipe import closable
from recon.cli.progress_bar import ProgressBar
from recon.cli.summary import print_summary
from recon.core.exit_code import exit_code

if TYPE_CHECKING:  # their imports take a command's time
    from recon.plan import Judgement
    from recon.ports import StateStore
    from recon.settings import Settings

_LEVELS = ("critical", "high", "medium", "low")


@click.command()
@common
@click.option("--dry-run", is_flag=True, help="Look and compare; publish and withdraw nothing.")
@click.option("--inline", is_flag=True, help="In this process, without Celery workers.")
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
@click.option("--fail-on", type=click.Choice(_LEVELS), help="Exit 3 on gaps of this level or above.")
@click.option("--use-cache", is_flag=True, help="Look at nothing: judge by the last complete look.")
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
    flags: dict[str, Any] = {"select": list(select)}
    if dry_run:
        flags["dry_run"] = True
    if use_cache:
        flags["use_cache"] = True
    with _cycle(config, flags, inline=inline) as document:
        _show(document, as_json=as_json)
    raise SystemExit(exit_code(document, fail_on))


@click.command()
@common
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
@click.option("-o", "output", type=click.Path(path_type=Path, dir_okay=False), help="Write the JSON here.")
def plan(config: Path | None, *, as_json: bool, select: tuple[str, ...], output: Path | None) -> None:
    """Show what a run would do, and change nothing."""
    with _plan(config, {"select": list(select), "dry_run": True}) as document:
        if output is not None:
            _write(output, document)
        _show(document, as_json=as_json)
    raise SystemExit(exit_code(document, None))


def _write(output: Path, document: dict[str, Any]) -> None:
    import json

    aside = output.with_name(f".{output.name}.part")
    aside.write_text(json.dumps(document, indent=2), encoding="utf-8")
    aside.replace(output)


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    with closable():
        if as_json:
            print_json(document)
        else:
            print_summary(document)


@contextmanager
def _cycle(config: Path | None, flags: dict[str, Any], *, inline: bool) -> Iterator[dict[str, Any]]:
    """Run a cycle and yield its report at once; workers stop when the block ends."""
    chosen = _adopted(config, flags)
    with ProgressBar() as progress:
        if inline:
            from workers.inline import run_inline

            document = run_inline(chosen, flags, progress.show, progress.say)
            progress.close()
            yield document
            return
        from workers.driver import run_cycle

        with run_cycle(chosen, flags, progress.show, progress.say) as document:
            progress.close()
            yield document


@contextmanager
def _plan(config: Path | None, flags: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a dry cycle in this process and yield its report, with what it was to cost before it began."""
    from recon.forecast import cost_document
    from workers.inline import run_inline

    chosen = _adopted(config, flags)
    cost: dict[str, Any] = {}
    with ProgressBar() as progress:

        def planned(state: StateStore, judged: Judgement) -> None:
            cost.update(cost_document(state, judged))
            for line in cost_lines(cost):
                progress.say(line)

        document = run_inline(chosen, flags, progress.show, progress.say, planned)
    yield {**document, "cost": cost}


def _adopted(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Return the settings, which from now on are this process'; raise ``ConfigError`` for flags that fail."""
    from recon import access
    from recon.adapters.logs import Stderr
    from recon.settings import adopt

    chosen = access.settings(config)
    adopt(chosen)
    access.start_logging(chosen, "run", Stderr.PEOPLE)
    _check(flags["select"])
    return chosen


def _check(selections: list[str]) -> None:
    """Raise ``ConfigError`` where a selection cannot be read."""
    if selections:
        from recon.core.selection import parse_selection

        for text in selections:
            parse_selection(text)
