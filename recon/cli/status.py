"""``recon status``: the last finished cycle, the queues and the runs so far, or one bare number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import percent, say
from recon.core.dims import METRICS, dims_values
from recon.core.past_run import PastRun, RunTally, run_tally

if TYPE_CHECKING:
    from recon.trouble_book import Trouble

_SHORT = ("cycle_id", "finished_at", "duration_s", "observed", "verdicts")


@click.command()
@common
@click.option("--metric", type=click.Choice(METRICS), help="Print only this value.")
def status(config: Path | None, *, as_json: bool, metric: str | None) -> None:
    """Show the last finished cycle and the queues, and how the runs went so far."""
    from recon import access
    from recon.last_cycle import latest, report
    from recon.run_book import load_runs
    from recon.trouble_book import load_troubles

    state = access.state(access.settings(config))
    runs = () if metric else load_runs(state)
    has_cycle = not runs or state.get("latest.json") is not None
    document: dict[str, Any] | None = report(state, latest(state)) if has_cycle else None
    if metric is not None and document is not None:
        click.echo(str(dims_values(document)[metric]))
        return
    found, troubles = run_tally(runs), load_troubles(state)
    if as_json:
        print_json(_document(document, found, troubles))
        return
    if document is not None:
        click.echo(f"last cycle {document['cycle_id']} finished {document['finished_at']}")
        for name, value in dims_values(document).items():
            click.echo(f"{name}: {value}")
    _print_runs(found)
    for step, trouble in troubles.items():
        say(
            f"after cycles, {step} failed {trouble.count:,} time{'s'[: trouble.count > 1]}, last at "
            f"{trouble.last_at:%Y-%m-%d %H:%M} UTC: {trouble.message}"
        )


def _document(
    report: Mapping[str, Any] | None, found: RunTally, troubles: Mapping[str, Trouble]
) -> dict[str, Any]:
    last: dict[str, Any] = dict.fromkeys((*_SHORT, "gaps", "tasks", "metrics"))
    if report is not None:
        last = {name: report[name] for name in (*_SHORT, "gaps", "tasks")}
        last["metrics"] = dims_values(report)
    told = {step: trouble.document() for step, trouble in troubles.items()}
    return {**last, "runs": found.document(), "troubles": told}


def _print_runs(found: RunTally) -> None:
    rate = "no attempt yet" if found.success_rate is None else f"{percent(found.success_rate)} finished"
    overlaps = (
        f"; {found.skipped_overlap:,} skipped, for another was running" if found.skipped_overlap else ""
    )
    dry = f"; {found.dry:,} dry runs are not among them" if found.dry else ""
    say(f"runs: {found.finished:,} finished, {found.failed:,} failed ({rate}){overlaps}{dry}")
    say(f"last run: {_run(found.last)}")
    say(f"last good run: {_run(found.last_good)}")


def _run(run: PastRun | None) -> str:
    if run is None:
        return "none yet"
    ended = f"{run.cycle_id} {run.outcome.value} {run.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    why = f": {run.message}" if run.message else ""
    partly = " (a part of the lake was not seen)" if run.exit_code == 4 else ""
    return f"{ended}{partly}{why}"
