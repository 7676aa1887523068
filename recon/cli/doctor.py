"""``recon doctor``: check the set-up part by part, with a next step for each problem."""

from __future__ import annotations

from pathlib import Path

import click

from recon.cli.common import common, print_json


@click.command()
@common
def doctor(config: Path | None, *, as_json: bool) -> None:
    """Check the set-up, with a next step for each problem."""
    from recon import access, wiring

    checks = wiring.diagnosed(access.settings(config))
    if as_json:
        print_json([{"check": name, "problem": problem} for name, problem in checks])
    else:
        for name, problem in checks:
            click.echo(
                f"{'ok  ' if problem is None else 'FAIL'}  {name}" + (f": {problem}" if problem else "")
            )
    if any(problem is not None for _, problem in checks):
        raise SystemExit(1)
