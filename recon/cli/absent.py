"""``recon absent``: the keys that their sources do not have, declared by people or confirmed by scrapers."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json, print_outcomes
from recon.cli.tables import table
from recon.core.printable import printable


@click.group()
def absent() -> None:
    """Say which keys their sources do not have, and look at who says so."""


@absent.command()
@common
def ls(config: Path | None, *, as_json: bool) -> None:
    """List known absences: those of inventory.yaml, people's, and scrapers' with their confirmations."""
    from recon import access
    from recon.adapters.inventory_file import load_inventory
    from recon.claim_books import load_claims

    chosen = access.settings(config)
    now = access.now()
    declared = load_inventory(chosen.inventory, chosen.source_overrides).waivers
    found: list[dict[str, Any]] = [
        {
            "what": waiver.key or _named(waiver),
            "by": waiver.by,
            "reason": waiver.reason,
            "until": waiver.until,
            "confirmations": None,
            "stands": waiver.until is None or now.date() <= waiver.until,
            "where": waiver.where,
        }
        for waiver in declared
    ]
    found += [
        {
            "what": absence.key,
            "by": absence.by,
            "reason": absence.reason,
            "until": absence.until,
            "confirmations": absence.confirmations,
            "stands": absence.stands(now),
            "where": "the state's ledger",
        }
        for absence in load_claims(access.state(chosen)).absences.values()
    ]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            printable(str(item["what"])),
            "yes" if item["stands"] else "no",
            printable(item["by"] or "-"),
            "-" if item["until"] is None else f"{item['until']}",
            "-" if item["confirmations"] is None else str(item["confirmations"]),
            printable(item["reason"] or "-"),
        ]
        for item in found
    ]
    table(["key", "stands", "by", "until", "confirmed", "reason"], rows, right={4}, spare=["confirmed", "by"])


@absent.command()
@common
@click.argument("keys", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why it is not to be had.")
@click.option("--by", required=True, help="Who says so.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day it stands (UTC); none: until it is expired.",
)
def add(
    config: Path | None, keys: tuple[str, ...], *, as_json: bool, reason: str, by: str, until: datetime | None
) -> None:
    """Declare that keys are not to be had; the next cycle counts them as known absent."""
    from recon import access
    from recon.claim_books import open_claims
    from recon.core.claims import SCRAPERS
    from recon.queues import queues

    if by == SCRAPERS:
        raise click.UsageError(
            f"--by {SCRAPERS} stands for absences that scrapers found: name a person or a team"
        )
    chosen = access.settings(config)
    day: date | None = None if until is None else until.date()
    now = access.now()
    if day is not None and day < now.date():
        raise click.UsageError(f"--until {day} is past: name a day that is to come, or leave it out")
    with open_claims(queues(chosen), access.state(chosen)) as claims:
        for key in keys:
            claims.declare_absent(key, reason, by, day, now)
    print_outcomes(dict.fromkeys(keys, "absent from the next cycle on"), as_json=as_json)


@absent.command()
@common
@click.argument("keys", nargs=-1, required=True)
def expire(config: Path | None, keys: tuple[str, ...], *, as_json: bool) -> None:
    """Forget that keys are absent; the next cycle wants them again."""
    from recon import access
    from recon.claim_books import open_claims
    from recon.queues import queues

    chosen = access.settings(config)
    with open_claims(queues(chosen), access.state(chosen)) as claims:
        told = {
            key: "expired" if claims.expire_absence(key) else "no entry (of inventory.yaml's, edit that file)"
            for key in keys
        }
    print_outcomes(told, as_json=as_json)


def _named(waiver: Any) -> str:
    fields = ",".join(f"{name}={value}" for name, value in waiver.fields)
    return f"{waiver.source}.{waiver.data_type or '*'} {fields}".rstrip()
