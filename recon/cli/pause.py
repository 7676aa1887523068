"""``recon pause`` and ``recon resume``: maintenance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from recon.cli.common import common, print_json
from recon.core.durations import duration_s
from recon.core.printable import printable


@click.command()
@common
@click.option(
    "--until", metavar="TIME", help="2026-12-01T06:00Z (UTC where no zone is named), or 2h from now."
)
@click.option("--reason", default="", help="Why, for those who look.")
def pause(config: Path | None, *, as_json: bool, until: str | None, reason: str) -> None:
    """Begin no cycles for a while, judge no claims, publish nothing; `recon run` still runs."""
    from recon import access
    from recon.maintenance import Pause
    from recon.maintenance import pause as put

    now = access.now()
    wanted = Pause(now, None if until is None else _instant(until, now), reason)
    put(access.state(access.settings(config)), wanted)
    if as_json:
        print_json({"paused": True, **wanted.document()})
        return
    end = "it is resumed" if wanted.until is None else f"{wanted.until:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"paused until {end}; a cycle that is under way ends")
    click.echo("next: recon resume")


@click.command()
@common
def resume(config: Path | None, *, as_json: bool) -> None:
    """End a pause; the next cycle begins when it is due."""
    from recon import access
    from recon.maintenance import ended

    before = ended(access.state(access.settings(config)), access.now())
    if as_json:
        print_json({"paused": False, "was_paused": before is not None})
    elif before is None:
        click.echo("it was not paused")
    else:
        why = f" ({printable(before.reason)})" if before.reason else ""
        click.echo(f"resumed; it was paused since {before.since:%Y-%m-%d %H:%M:%S} UTC{why}")


def _instant(text: str, now: datetime) -> datetime:
    """Return the instant that ``--until`` names; raise ``UsageError`` where it names none to come."""
    lasts_s = duration_s(text)
    if lasts_s is not None:
        return now + timedelta(seconds=lasts_s)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--until {printable(text)} is no time: write 2026-12-01T06:00Z, or a duration such as 90m or 2h"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found <= now:
        raise click.UsageError(f"--until {text} is past (it is {now:%Y-%m-%dT%H:%MZ})")
    return found
