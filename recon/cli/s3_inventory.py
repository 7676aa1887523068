"""``recon s3-inventory``: have AWS report what the lake's bucket holds, and check on its reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import say

_KINDS = {"none": "as it should be", "create": "new", "replace": "to be replaced", "update": "to be extended"}


@click.group("s3-inventory")
def s3_inventory() -> None:
    """Have AWS report what the lake's bucket holds, and check on it."""


@s3_inventory.command()
@common
@click.option("--dry-run", is_flag=True, help="Show both documents and what would change; change nothing.")
@click.option("--yes", is_flag=True, help="Change them without asking.")
@click.option("--account", metavar="ID", help="The buckets' account (default: the caller's, by STS).")
def enable(config: Path | None, *, as_json: bool, dry_run: bool, yes: bool, account: str | None) -> None:
    """Put the bucket's inventory configuration, and let S3 write reports to their destination.

    The destination's policy is extended, never replaced; a configuration that differs is shown first.
    """
    from recon import access, wiring
    from recon.report_delivery import carry_out, change

    chosen = access.settings(config)
    wish = wiring.report_wish(chosen, account)
    admin = wiring.inventory_admin(chosen)
    planned = change(admin, wish)
    if not as_json:
        _show_change(planned)
    if planned.is_any and not dry_run:
        _confirm(planned, yes=yes, show=as_json)
        carry_out(admin, planned, wish)
    if as_json:
        print_json(_change(planned, dry_run=dry_run))
    else:
        _show_outcome(planned, dry_run=dry_run, is_used=chosen.s3.use_aws_inventory)


@s3_inventory.command()
@common
@click.option("--deep", is_flag=True, help="Also fetch every data file of the newest report, and check it.")
def status(config: Path | None, *, as_json: bool, deep: bool) -> None:
    """Show what delivers reports, the newest one, and whether it holds. Exit 1 where something is wrong."""
    from recon import access, wiring
    from recon.aws_reports import refused
    from recon.report_standing import deep_standing, document, reports_standing, with_delivery

    chosen = access.settings(config)
    now = access.now()
    files, place = wiring.report_files(chosen), wiring.report_place(chosen)
    known = refused(access.state(chosen), now)
    if deep:
        standing = deep_standing(files, place, known, wiring.report_root(chosen), now)
    else:
        standing = reports_standing(files, place, known, now)
    if chosen.lake_folder is None and not str(chosen.s3.inventory_bucket).startswith("file://"):
        wish = wiring.report_wish(chosen)
        standing = with_delivery(standing, wiring.inventory_admin(chosen), wish, place)
    found = {"lake": chosen.lake, "source": place.bucket, "prefix": place.prefix, **document(standing, now)}
    if as_json:
        print_json(found)
    else:
        _show_standing(found)
    if not found["ok"]:
        raise SystemExit(1)


def _confirm(planned: Any, *, yes: bool, show: bool) -> None:
    from recon.errors import ConfigError

    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "nothing was changed: there is no terminal to ask on. Look at it with --dry-run, then pass --yes"
        )
    if show:
        _show_change(planned, err=True)
    if not click.confirm("Change this?", err=True):
        click.echo("nothing was changed", err=True)
        raise SystemExit(1)


def _show_change(planned: Any, *, err: bool = False) -> None:
    from recon.core.inventory_setup import difference

    delivery = planned.delivery
    named = f"configuration {delivery.config_id} of s3://{delivery.source}"
    parts = (
        (named, planned.of_configuration, planned.configuration_now, planned.configuration),
        (f"policy of s3://{delivery.bucket}", planned.of_policy, planned.policy_now, planned.policy),
    )
    for name, kind, before, wanted in parts:
        click.echo(f"{name}: {_KINDS[kind]}", err=err)
        click.echo(json.dumps(wanted, indent=2, ensure_ascii=False), err=err)
        if before is not None and kind != "none":
            click.echo("what changes:", err=err)
            for line in difference(before, wanted):
                click.echo(line, err=err)
    for note in planned.notes:
        say(f"note: {note}", err=err)


def _show_outcome(planned: Any, *, dry_run: bool, is_used: bool) -> None:
    if not planned.is_any:
        say("nothing to change: both are as they should be")
    elif dry_run:
        say("dry run: nothing was changed")
    else:
        say(f"done: reports go to {planned.delivery.place}; the first one takes up to 48 hours")
        say("next: recon s3-inventory status" + ("" if is_used else "; then set s3.use_aws_inventory: true"))


def _change(planned: Any, *, dry_run: bool) -> dict[str, Any]:
    delivery = planned.delivery
    return {
        "source": delivery.source,
        "destination": delivery.place,
        "config_id": delivery.config_id,
        "account": delivery.account,
        "configuration": planned.configuration,
        "policy": planned.policy,
        "changes": {"configuration": planned.of_configuration, "policy": planned.of_policy},
        "changed": planned.is_any and not dry_run,
        "dry_run": dry_run,
        "notes": list(planned.notes),
    }


def _show_standing(found: dict[str, Any]) -> None:
    for item in found["configurations"] or ():
        state = "enabled" if item["enabled"] else "switched off"
        below = f", keys below {item['filter']}" if item["filter"] else ""
        fields = ", ".join(item["fields"]) or "no optional fields"
        say(
            f"configuration {item['id']}: {state}, {item['format']}, {item['frequency']}, "
            f"{item['versions']} versions, {fields}{below}"
        )
    newest = found["newest"]
    if newest is not None:
        checked = "it verifies" if newest["verifies"] else "it cannot be used"
        size = "" if newest["files"] is None else f", {newest['files']} files, {newest['bytes']:,} bytes"
        say(f"newest report: {newest['as_of']}, {newest['age_s'] / 3600:.1f} h old{size}: {checked}")
        say(f"  {newest['manifest']}")
    if found["deep"] is not None:
        say(f"every data file holds: {found['deep']['objects']:,} objects of the lake")
    if found["next_due"] is not None:
        say(f"next report: begins about {found['next_due']}, and may take a day to arrive")
    for note in found["notes"]:
        say(f"note: {note}")
    for item in found["problems"]:
        say(f"PROBLEM  {item['problem']}")
        say(f"         → {item['next']}")
