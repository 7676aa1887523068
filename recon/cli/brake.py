"""``recon brake``: the sudden losses that are held back, and how to have them believed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import say, table

if TYPE_CHECKING:
    from recon.core.braking import Held


@click.group()
def brake() -> None:
    """Show the sudden losses that are held back, and release them."""


@brake.command()
@common
def status(config: Path | None, *, as_json: bool) -> None:
    """Show what is held back, since when, and what ends it."""
    from recon import access
    from recon.brake_record import held_document, is_released, load, released

    chosen = access.settings(config)
    state = access.state(chosen)
    record, releases = load(state), released(state)
    rows = [
        {**held_document(one), "released": is_released(one.scope, releases.values())} for one in record.holds
    ]
    if as_json:
        print_json({"enabled": chosen.brake.enabled, "baseline": record.baseline, "held": rows})
    else:
        _show(rows, record.baseline, chosen.brake)


@brake.command()
@common
@click.argument("scopes", nargs=-1, metavar="[SCOPE]...")
@click.option("--yes", is_flag=True, help="Release without asking.")
def release(config: Path | None, scopes: tuple[str, ...], *, as_json: bool, yes: bool) -> None:
    """Have the next cycle believe what was lost of SCOPE (all that is held, if none is named).

    SCOPE is as recon brake status shows it: lake, source:NAME, or source:NAME+type:NAME.
    """
    from recon import access
    from recon.brake_record import held_document, waiting
    from recon.brake_record import release as release_holds

    state = access.state(access.settings(config))
    holds = [one for one in waiting(state) if not scopes or one.scope.text in scopes]
    if holds:
        _confirm(holds, yes=yes)
    done = release_holds(state, scopes)
    if as_json:
        print_json({"released": [held_document(one) for one in done]})
    elif done:
        say(f"released: {', '.join(one.scope.text for one in done)}")
        say("next: recon run believes the loss, and queues what is missing")
    else:
        say("nothing is held back")


def _confirm(holds: list[Held], *, yes: bool) -> None:
    from recon.errors import ConfigError

    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nothing was released: there is no terminal to ask on. Pass --yes")
    for one in holds:
        say(f"{one.scope.text}: {one.vanished:,} of {one.before:,} objects are gone", err=True)
    if not click.confirm("Believe this, and queue what is missing?", err=True):
        click.echo("nothing was released", err=True)
        raise SystemExit(1)


def _show(rows: list[dict[str, Any]], baseline: str | None, settings: Any) -> None:
    if not settings.enabled:
        say("the brake is switched off (brake.enabled)")
    if not rows:
        kept = f"the baseline is cycle {baseline}" if baseline else "no complete cycle is the baseline yet"
        say(f"nothing is held back; {kept}")
        return
    headings = ["scope", "lost", "of", "since", "complete cycles since", "ends"]
    table(headings, [_line(row, settings.auto_release_after_s) for row in rows], right={1, 2, 4})
    say("next: recon gaps --select SCOPE --keys names what is missing of a data type or source")
    if any(not row["released"] for row in rows):
        say("if a loss is real: recon brake release SCOPE; if not, the hold ends when the objects are back")


def _line(row: dict[str, Any], lasts_s: float) -> list[str]:
    ends = "when released: more than half is gone"
    if row["released"]:
        ends = "released: with the next complete cycle"
    elif row["ends_by_itself"]:
        ends = f"by itself {lasts_s / 3600:g} h and two complete cycles after"
    return [
        row["scope"],
        f"{row['vanished']:,}",
        f"{row['before']:,}",
        row["since"][:19] + "Z",
        str(row["complete_cycles"]),
        ends,
    ]
