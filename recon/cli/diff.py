"""``recon diff``: what changed between two cycles that history keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import percent, say, table
from recon.core.differences import FILLED, KNOWN_ABSENT, NOT_EXPECTED, coverage_changes, gap_changes
from recon.core.past_run import Outcome, PastRun
from recon.core.printable import printable
from recon.errors import ConfigError

if TYPE_CHECKING:  # its import takes a command's time
    from recon.core.selection import Selection
    from recon.ports import StateStore

#: Cycles that an error names at most.
_NAMED_MAX = 10
_WHY = {FILLED: "filled", KNOWN_ABSENT: "known to be absent", NOT_EXPECTED: "not expected any more"}
_LEVELS = ("critical", "high", "medium", "low")


@click.command()
@common
@click.argument("cycles", nargs=-1, metavar="[CYCLE CYCLE]")
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
def diff(config: Path | None, *, as_json: bool, cycles: tuple[str, ...], select: tuple[str, ...]) -> None:
    """Show what changed between two cycles: by default the last two, dry runs left out."""
    if len(cycles) not in {0, 2}:
        raise click.UsageError("expected two cycles, or none for the last two")
    from recon import access
    from recon.core.selection import parse_selection
    from recon.run_book import load_runs

    selections = [parse_selection(text) for text in select]
    state = access.state(access.settings(config))
    runs = [run for run in load_runs(state) if run.outcome is Outcome.FINISHED]
    first, second = _named(runs, cycles) if cycles else _last_two(runs)
    document = _document(state, first, second, selections)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _named(runs: Sequence[PastRun], cycles: Sequence[str]) -> Iterator[PastRun]:
    known = {run.cycle_id: run for run in runs}
    for cycle in cycles:
        if cycle not in known:
            latest = ", ".join(list(known)[-_NAMED_MAX:]) or "none"
            more = f" (the last {_NAMED_MAX} of {len(known)})" if len(known) > _NAMED_MAX else ""
            raise ConfigError(f"history has no finished cycle {cycle}; known cycles{more}: {latest}")
        yield known[cycle]


def _last_two(runs: Sequence[PastRun]) -> Sequence[PastRun]:
    real = [run for run in runs if not run.dry_run][-2:]
    if len(real) < 2:
        have = f"only cycle {real[0].cycle_id}" if real else "none yet"
        raise ConfigError(f"a difference takes two finished cycles that were no dry runs; history has {have}")
    return real


def _document(
    state: StateStore, first: PastRun, second: PastRun, selections: Sequence[Selection]
) -> dict[str, Any]:
    from recon.core.selection import is_selected
    from recon.kept_history import kept_coverage, kept_gaps

    gaps, seen = (
        [[row for row in read(state, run) if is_selected(row, selections)] for run in (first, second)]
        for read in (kept_gaps, kept_coverage)
    )
    return {
        "schema": "recon.diff/1",
        "from": _cycle(first),
        "to": _cycle(second),
        "gaps": gap_changes(*gaps, *seen),
        "coverage": coverage_changes(*seen),
    }


def _cycle(run: PastRun) -> dict[str, Any]:
    document = run.document()
    return {name: document[name] for name in ("cycle_id", "started_at", "finished_at", "dry_run")}


def _print(document: Mapping[str, Any]) -> None:
    gaps, coverage = document["gaps"], document["coverage"]
    for word in ("from", "to"):
        cycle = document[word]
        dry = ", a dry run" if cycle["dry_run"] else ""
        say(f"{word:<4} cycle {cycle['cycle_id']}, finished {cycle['finished_at']}{dry}")
    numbers = {name: len(gaps[name]) for name in ("opened", "closed", "changed", "unseen")}
    unseen = f", {numbers['unseen']:,} not looked at" if numbers["unseen"] else ""
    say(
        f"gaps: {numbers['opened']:,} opened, {numbers['closed']:,} closed, {numbers['changed']:,} changed, "
        f"{gaps['unchanged']:,} as before{unseen}"
    )
    rows = list(_gap_lines(gaps))
    if rows:
        table(["change", "priority", "reason", "gap", "size"], rows, right={4})
    for name, heading in (("sources", "source"), ("data_types", "data type"), ("partitions", "partition")):
        if coverage[name]:
            lines = [[_place(row), *map(_share, (row["before"], row["after"]))] for row in coverage[name]]
            table([heading, "before", "after"], lines, right={1, 2})
    total = coverage["total"]
    told = f"{_share(total[0]['before'])} before, {_share(total[0]['after'])} now" if total else "as before"
    say(f"coverage over all: {told}")


def _gap_lines(gaps: Mapping[str, Any]) -> Iterator[list[str]]:
    for gap in _ranked(gaps["opened"]):
        yield ["opened", gap["priority"], gap["reason"], _place(gap), f"{gap['size']:,}"]
    for gap in _ranked(gaps["changed"]):
        priority = _step(gap["priority_before"], gap["priority"])
        sizes = _step(f"{gap['size_before']:,}", f"{gap['size']:,}")
        yield ["changed", priority, gap["reason"], _place(gap), sizes]
    for gap in _ranked(gaps["closed"]):
        yield [f"closed: {_WHY[gap['why']]}", gap["priority"], gap["reason"], _place(gap), f"{gap['size']:,}"]
    for gap in _ranked(gaps["unseen"]):
        yield ["not looked at", gap["priority"], gap["reason"], _place(gap), f"{gap['size']:,}"]


def _ranked(gaps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(gaps, key=lambda gap: (_LEVELS.index(gap["priority"]), _place(gap), gap["reason"]))


def _step(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def _place(row: Mapping[str, Any]) -> str:
    fields = ",".join(f"{name}={value}" for name, value in row.get("partition", {}).items())
    return printable(".".join(filter(None, (row["source"], row.get("data_type")))) + f" {fields}".rstrip())


def _share(share: float | None) -> str:
    return "-" if share is None else percent(share)
