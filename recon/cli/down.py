"""``recon down``: stop the embedded broker."""

from __future__ import annotations

from pathlib import Path

import click

from recon.cli.common import common, print_json


@click.command()
@common
def down(config: Path | None, *, as_json: bool) -> None:
    """Stop the embedded broker; the queues stay on disk for the next start."""
    from recon import access

    stopped = access.down(access.settings(config))
    if as_json:
        print_json({"stopped": stopped})
    else:
        click.echo("the embedded broker is stopped" if stopped else "no embedded broker was running")
