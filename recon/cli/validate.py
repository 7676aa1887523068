"""``recon validate``: what the two files say, data type by data type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json, table


@click.command()
@common
def validate(config: Path | None, *, as_json: bool) -> None:
    """Check both files; say what each data type comes to."""
    from recon import wiring

    checked = wiring.validated(wiring.settings(config))
    if as_json:
        print_json(checked)
        return
    headings = ["data type", "kind", "range", "count", "partition", "example"]
    table(headings, [_line(item) for item in checked["types"]], right={3})
    for line in checked["warnings"]:
        click.echo(f"warning: {line}", err=True)
    if checked["without_effect"]:
        click.echo(f"accepted, without effect: {', '.join(checked['without_effect'])}")


def _line(item: dict[str, Any]) -> list[str]:
    return [
        item["name"],
        item["kind"],
        item["range"],
        "-" if item["count"] is None else f"{item['count']:,}",
        ",".join(item["partition"]) or "-",
        item["example"],
    ]
