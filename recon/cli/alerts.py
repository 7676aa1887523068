"""``recon alerts``: what stands now, whom it is told to, and whether they can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import say, table

if TYPE_CHECKING:
    from recon.alarm import Alarm
    from recon.core.alerting import AlertBook


@click.group()
def alerts() -> None:
    """Show what is wrong now and who is told of it; send a test message."""


@alerts.command("ls")
@common
def ls(config: Path | None, *, as_json: bool) -> None:
    """List what stands now, and what each channel has been told."""
    from recon import access
    from recon.alarm import alarm

    bell = alarm(access.settings(config))
    document = _document(bell, bell.book(), access.now())
    if as_json:
        print_json(document)
        return
    for one in document["conditions"]:
        say(f"{one['severity']}: {one['name']}: {one['words']}")
        say(f"  next: {one['next']}; {one['runbook']}")
        say(f"  {_told(one)}")
    if not document["conditions"]:
        say("nothing is wrong")
    if not document["channels"]:
        say("no channel: set RECON_ALERT_URLS, or notifications in recon.yaml (docs/alerts.md)")
        return
    rows = [
        [one["name"], str(one["sent"]), str(one["pending"]), str(one["digest"]), one["problem"] or "-"]
        for one in document["channels"]
    ]
    table(["channel", "told", "waiting", "for the digest", "problem"], rows, right={1, 2, 3})


@alerts.command("test")
@common
def test(config: Path | None, *, as_json: bool) -> None:
    """Send a test message to each channel; exit 1 where one could not be told."""
    from recon import access
    from recon.alarm import alarm
    from recon.errors import ConfigError

    bell = alarm(access.settings(config))
    if not bell.channels:
        raise ConfigError(
            "no alert channel is configured; set RECON_ALERT_URLS, or notifications in recon.yaml "
            "(docs/alerts.md)"
        )
    problems = bell.test(access.now())
    told = [
        {"name": one.name, "told": not problems[one.id], "problem": problems[one.id]} for one in bell.channels
    ]
    if as_json:
        print_json({"channels": told})
    else:
        for one in told:
            say(f"{one['name']}: {'told' if one['told'] else one['problem']}")
    if any(problems.values()):
        raise SystemExit(1)


def _told(one: dict[str, Any]) -> str:
    return "not told yet" if one["told_at"] is None else f"last told {one['told_at'][:19]}Z"


def _document(bell: Alarm, book: AlertBook, now: Any) -> dict[str, Any]:
    from recon.core.alert_words import runbook
    from recon.core.outbox import Outbox

    entries = {name: one for name, one in book.entries.items() if not one.is_over}
    return {
        "conditions": [
            {
                "name": one.name,
                "severity": one.severity,
                "words": bell.mask(one.words),
                "next": one.next,
                "runbook": runbook(one.name),
                "since": None if one.since is None else one.since.isoformat(),
                "told_at": _iso(entries[one.name].told_at) if one.name in entries else None,
            }
            for one in bell.standing_now(now)
        ],
        "channels": [
            {
                "name": channel.name,
                "sent": box.sent,
                "sent_at": _iso(box.sent_at),
                "pending": len(box.pending),
                "digest": len(box.digest),
                "dropped": box.dropped,
                "failures": box.failures,
                "problem": box.problem,
                "retry_at": _iso(box.retry_at),
            }
            for channel in bell.channels
            for box in [book.outboxes.get(channel.id, Outbox())]
        ],
    }


def _iso(at: Any) -> str | None:
    return None if at is None else at.isoformat()
