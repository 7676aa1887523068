"""inventory.yaml -> ``Inventory``, with every error as file:line:column.

Owns the file's format (docs: the inventory reference); reads the CSV files that its dimensions name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recon.adapters.inventory_file.build import blanks_of, built
from recon.adapters.inventory_file.shape import InventoryShape
from recon.core.inventory import Inventory
from recon.core.overrides import SourceOverride, overridden
from recon.shapes import json_schema, shaped
from recon.strict_yaml import parse_document, read_document

__all__ = ["inventory_schema", "load_inventory"]


def load_inventory(
    path: Path,
    overrides: Sequence[SourceOverride] = (),
    *,
    name: str | None = None,
    text: bytes | None = None,
) -> Inventory:
    """Read the inventory at ``path``, with the settings' ``overrides`` of its sources applied.

    ``name`` is what messages call the file (default: the path), ``text`` what is read in its place. Catalogs
    and other files it names are relative to its folder.

    Raises:
        ConfigError: With every problem of the file, one ``file:line:column: message`` each.
    """
    document = read_document(path, name) if text is None else parse_document(text, name or str(path))
    shape = shaped(InventoryShape, document, {"folder": path.parent})
    inventory, notices = overridden(built(shape, document), overrides, blanks_of(shape))
    return replace(inventory, notices=(*inventory.notices, *notices))


def inventory_schema() -> dict[str, Any]:
    """Return the JSON Schema of inventory.yaml."""
    return json_schema(InventoryShape, "recon inventory: what the lake should hold")
