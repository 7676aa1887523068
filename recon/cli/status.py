"""``recon status``: the last finished cycle and the queues, or one bare number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json

_SHORT = ("cycle_id", "finished_at", "duration_s", "observed", "verdicts")
METRICS = (
    "reconciliation_last_run",
    "reconciliation_total_gaps",
    "reconciliation_critical_gaps",
    "reconciliation_task_queue_size",
)


@click.command()
@common
@click.option("--metric", type=click.Choice(METRICS), help="Print only this value.")
def status(config: Path | None, *, as_json: bool, metric: str | None) -> None:
    """Show the last finished cycle and the queues."""
    from recon import access
    from recon.findings import latest, report

    state = access.state(access.settings(config))
    document: dict[str, Any] = report(state, latest(state))
    values = {
        "reconciliation_last_run": document["finished_at"],
        "reconciliation_total_gaps": document["gaps"]["total"],
        "reconciliation_critical_gaps": document["gaps"]["by_priority"]["critical"],
        "reconciliation_task_queue_size": document["tasks"]["outstanding"],
    }
    if metric is not None:
        click.echo(str(values[metric]))
        return
    short = {name: document[name] for name in _SHORT}
    if as_json:
        print_json({**short, "gaps": document["gaps"], "tasks": document["tasks"], "metrics": values})
        return
    click.echo(f"last cycle {document['cycle_id']} finished {document['finished_at']}")
    for name, value in values.items():
        click.echo(f"{name}: {value}")
