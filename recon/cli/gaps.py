"""``recon gaps``: the gaps of the last finished cycle, or every key of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import table
from recon.core.printable import printable
from recon.model import Priority, Reason

_REASONS = [reason.value for reason in Reason]
_LEVELS = [level.label for level in Priority]


@click.command()
@common
@click.option("--reason", type=click.Choice(_REASONS), help="Only gaps of this reason.")
@click.option("--priority", type=click.Choice(_LEVELS), help="Only gaps of this priority.")
@click.option("--select", multiple=True, metavar="EXPR", help="source:x+type:y+season:z; may be repeated.")
@click.option("--keys", "by_key", is_flag=True, help="One line per key: reason, priority, key.")
def gaps(
    config: Path | None,
    *,
    as_json: bool,
    reason: str | None,
    priority: str | None,
    select: tuple[str, ...],
    by_key: bool,
) -> None:
    """List the gaps of the last finished cycle."""
    from recon import access
    from recon.core.selection import is_selected, parse_selection
    from recon.findings import last_findings

    found = last_findings(access.state(access.settings(config)))
    selections = [parse_selection(text) for text in select]
    kept = [
        gap
        for gap in found.gaps
        if reason in {None, gap.reason.value} and is_selected(gap.document(), selections)
    ]
    if by_key:
        _print_keys(kept, priority, as_json=as_json)
        return
    kept = [gap for gap in kept if priority in {None, gap.priority.label}]
    if as_json:
        print_json([gap.document() for gap in kept])
        return
    rows = [[gap.priority.label, gap.reason.value, printable(gap.name), _size(gap)] for gap in _ranked(kept)]
    table(["priority", "reason", "gap", "keys"], rows, right={3})


def _ranked(found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda gap: (gap.priority, gap.name, gap.reason))


def _size(gap: Any) -> str:
    return f"{gap.keys:,}" if gap.expected is None else f"{gap.have}/{gap.expected}"


def _print_keys(found: list[Any], priority: str | None, *, as_json: bool) -> None:
    import numpy as np

    lines: list[tuple[str, str, str]] = []
    counted: list[tuple[str, str, str]] = []
    for gap in found:
        for group in gap.groups:
            if group.keys is None:
                label = Priority(int(group.priorities[0])).label
                counted.append((gap.reason.value, label, f"{gap.name} {gap.have}/{gap.expected}"))
                continue
            keys = group.keys.keys_at(np.arange(len(group.priorities)))
            for key, level in zip(keys, group.priorities.tolist(), strict=True):
                lines.append((gap.reason.value, Priority(level).label, key))
    lines.sort(key=lambda line: line[2].encode("utf-8", "surrogatepass"))
    shown = [line for line in [*lines, *sorted(counted)] if priority in {None, line[1]}]
    if as_json:
        print_json([dict(zip(("reason", "priority", "key"), line, strict=True)) for line in shown])
        return
    for why, level, key in shown:
        click.echo(f"{why}\t{level}\t{printable(key)}")
