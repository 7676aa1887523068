"""``recon doctor``: check the set-up part by part, with a next step for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json

_QUEUES = ("recon.control", "recon.scan")
_START = (
    "start them (see Procfile): celery -A workers.app worker -Q recon.control -c 1, and "
    "celery -A workers.app worker -Q recon.scan -P threads -c 6"
)


@click.command()
@common
def doctor(config: Path | None, *, as_json: bool) -> None:
    """Check the set-up, with a next step for each problem."""
    from recon import access
    from recon.diagnosis import Status, diagnosis
    from recon.settings import adopt

    chosen = access.settings(config)
    adopt(chosen)
    found = []
    for check in diagnosis(chosen):
        found.append(check)
        _show(check, as_json=as_json)
    answers = not any(check.name == "broker" and check.status is Status.FAIL for check in found)
    for check in _workers(chosen) if answers else ():
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


def _workers(chosen: Any) -> Iterator[Any]:
    """Yield whether each queue of the cycle has a worker that answers; asking takes a second."""
    from recon.diagnosis import Check, Status
    from recon.errors import ReconError
    from workers.census import consumers

    if chosen.broker is None:
        yield Check("workers", Status.OK, "the broker is embedded: `recon run` starts its own workers")
        return
    try:
        found = consumers()
    except ReconError as error:
        yield Check("workers", Status.FAIL, str(error), _START)
        return
    for queue in _QUEUES:
        if queue in found:
            yield Check("workers", Status.OK, f"{queue}: {', '.join(found[queue])}")
        else:
            yield Check("workers", Status.FAIL, f"{queue}: no worker answers", _START)
