"""``recon serve``: health, metrics and a page over HTTP."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from recon.cli.common import common, print_json
from recon.core.hosts import is_loopback


@click.command()
@common
@click.option("--host", help="Listen on this address (default: reconciliation_loop.health_check_host).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Listen on this port (default: reconciliation_loop.health_check_port); 0 takes a free one.",
)
@click.option("--flower", "flower", default="", metavar="URL", help="Link the Flower at this address.")
def serve(config: Path | None, *, as_json: bool, host: str | None, port: int | None, flower: str) -> None:
    """Serve health, metrics and a page over HTTP, until stopped.

    /healthz, /readyz, /metrics, /page.json and the page itself at /. It changes nothing, and asks nobody who
    they are. The first SIGINT or SIGTERM stops it, the second ends it at once.
    """
    if flower and urlsplit(flower).scheme not in {"http", "https"}:
        raise click.UsageError(f"--flower {flower}: expected http://… or https://…")
    from recon import access

    chosen = access.settings(config)
    where = host or chosen.loop.health_check_host
    number = chosen.loop.health_check_port if port is None else port
    from workers import serving

    access.start_logging(chosen, "web")
    if not is_loopback(where):
        click.echo(
            f"recon: {where} is not loopback: whoever reaches this port can read how the engine stands; put "
            "a proxy that asks for a password before it",
            err=True,
        )

    def listening(address: str) -> None:
        if as_json:
            print_json({"listening": address})
        else:
            click.echo(f"serving {address} (healthz, readyz, metrics)")

    serving.serve(chosen, where, number, flower, listening)
