"""``recon validate``: what the two files say, data type by data type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recon.cli.common import common, print_json
from recon.cli.tables import say, table


@click.command()
@common
def validate(config: Path | None, *, as_json: bool) -> None:
    """Check both files; say what each data type comes to. Exit 4 where a catalog cannot be read."""
    from recon import access, wiring

    chosen = access.settings(config)
    checked = wiring.validated(chosen)
    if as_json:
        print_json(checked)
    else:
        _print(checked)
    if checked["skipped"] and not access.sample_is_wanted(chosen):
        raise SystemExit(4)


def _print(checked: dict[str, Any]) -> None:
    headings = ["data type", "kind", "range", "count", "partition", "example"]
    skipped = [[name, "skipped", why, "-", "-", "-"] for name, why in checked["skipped"].items()]
    table(headings, [*map(_line, checked["types"]), *skipped], right={3}, spare=("partition",))
    for line in checked["warnings"]:
        say(f"warning: {line}", err=True)
    if checked["without_effect"]:
        say(f"accepted, without effect: {', '.join(checked['without_effect'])}")


def _line(item: dict[str, Any]) -> list[str]:
    return [
        item["name"],
        item["kind"],
        item["range"],
        "-" if item["count"] is None else f"{item['count']:,}",
        ",".join(item["partition"]) or "-",
        item["example"],
    ]
