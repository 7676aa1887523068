"""``recon doctor``: check the set-up part by part, with a next step for each problem."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json


@click.command()
@common
def doctor(config: Path | None, *, as_json: bool) -> None:
    """Check the set-up, with a next step for each problem."""
    from recon import access
    from recon.cli.deployment_checks import deployment
    from recon.diagnosis import Status, diagnosis
    from recon.settings import adopt

    chosen = access.settings(config)
    adopt(chosen)
    found = []
    for check in diagnosis(chosen):
        found.append(check)
        _show(check, as_json=as_json)
    answers = not any(check.name == "broker" and check.status is Status.FAIL for check in found)
    for check in deployment(chosen) if answers else ():
        found.append(check)
        _show(check, as_json=as_json)
    if as_json:
        print_json([{**asdict(check), "ok": check.status is Status.OK} for check in found])
    if any(check.status is Status.FAIL for check in found):
        raise SystemExit(1)


def _show(check: Any, *, as_json: bool) -> None:
    if as_json:
        return
    click.echo(f"{check.status.upper():<4}  {check.name}: {check.found}")
    if check.fix:
        click.echo(f"      → {check.fix}")
