"""``recon coverage``: how complete each partition was in the last finished cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json, table

_COLUMNS = ("expected", "have", "stale", "small", "missing", "not_due", "known_absent", "unknown")


@click.command()
@common
def coverage(config: Path | None, *, as_json: bool) -> None:
    """Show the coverage of the last finished cycle."""
    from recon import wiring
    from recon.findings import latest, report

    state = wiring.state(wiring.settings(config))
    document: dict[str, Any] = report(state, latest(state))
    rows = document["coverage"]
    if as_json:
        print_json(rows)
        return
    lines = [
        [
            f"{row['source']}.{row['data_type']}",
            ",".join(f"{name}={value}" for name, value in row["partition"].items()) or "-",
            row["kind"],
            *("-" if row[column] is None else f"{row[column]:,}" for column in _COLUMNS),
            _share(row),
        ]
        for row in rows
    ]
    headings = ["data type", "partition", "kind", *_COLUMNS, "coverage"]
    table(headings, lines, right=set(range(3, len(headings))))


def _share(row: dict[str, Any]) -> str:
    if row["kind"] == "any":
        return "unquantified"
    return "unknown" if row["coverage"] is None else f"{row['coverage']:.1%}"
