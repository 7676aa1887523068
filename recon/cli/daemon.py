"""``recon daemon``: the engine all day, under one supervisor."""

from __future__ import annotations

from pathlib import Path

import click

from recon.cli.common import common

_MINUTE_S, _HOUR_S = 60.0, 3600.0


@click.command()
@common
@click.option("--interval-hours", type=click.FloatRange(min=0, min_open=True), help="Hours between cycles.")
@click.option(
    "--interval-minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes; wins over hours."
)
@click.option("--run-once", is_flag=True, help="Run one cycle, then exit as `recon run` does.")
@click.option("--dry-run", is_flag=True, help="Look and compare; publish and withdraw nothing.")
@click.option(
    "--flower", is_flag=True, help="Start Flower too; RECON_FLOWER_AUTH=user:password lets people in."
)
@click.pass_context
def daemon(
    ctx: click.Context,
    config: Path | None,
    *,
    as_json: bool,
    interval_hours: float | None,
    interval_minutes: float | None,
    run_once: bool,
    dry_run: bool,
    flower: bool,
) -> None:
    """Run the engine until stopped: broker, workers, beat and web.

    The broker is started where none is configured. SIGHUP reads the configuration again. The first SIGINT or
    SIGTERM stops all within ten seconds; the second ends it at once.
    """
    if run_once:
        from recon.cli.run import run

        ctx.invoke(run, config=config, as_json=as_json, dry_run=dry_run)
        return
    from workers.daemon import Daemon, DaemonOptions

    interval_s = interval_hours * _HOUR_S if interval_hours else None
    if interval_minutes:
        interval_s = interval_minutes * _MINUTE_S
    options = DaemonOptions(config, interval_s, dry_run or None, flower)
    Daemon(options, lambda text: click.echo(text, err=True)).run()
