"""``recon schema``: the JSON Schemas of the two YAML files."""

from __future__ import annotations

from pathlib import Path

import click

from recon.cli.common import common, print_json


@click.command()
@common
@click.argument("which", type=click.Choice(["inventory", "recon"]), default="inventory")
def schema(config: Path | None, which: str, *, as_json: bool) -> None:
    """Print the JSON Schema of inventory.yaml or recon.yaml."""
    del config, as_json
    from recon.adapters.inventory_file import inventory_schema
    from recon.settings import settings_schema

    print_json(inventory_schema() if which == "inventory" else settings_schema())
