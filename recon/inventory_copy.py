"""The last good inventory in the state: a scheduled cycle goes on by it where the file went wrong.

State name: ``inventory/good.yaml``, the file's bytes as of the last plan that was made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from recon.core.inventory import Inventory
from recon.errors import ConfigError
from recon.model import Notice
from recon.ports import StateStore

_NAME = "inventory/good.yaml"


@dataclass(frozen=True, slots=True)
class InventoryChoice:
    """The inventory of one cycle, and the text that it was read from; None where that is the copy's."""

    inventory: Inventory
    text: bytes | None

    def remember(self, state: StateStore) -> None:
        """Keep the text as the last good one; a plan was made of it."""
        if self.text is not None and state.get(_NAME) != self.text:
            state.put(_NAME, self.text)


def chosen_inventory(
    state: StateStore, path: Path, read: Callable[[bytes | None], Inventory], *, may_fall_back: bool
) -> InventoryChoice:
    """Return the inventory that ``read`` makes of the file's text; where that is wrong, of the last good one.

    Raises:
        ConfigError: The file is wrong, and there is no good copy, or none is wanted.
    """
    try:
        text = path.read_bytes()
    except OSError:
        text = None  # which `read` says in better words
    try:
        return InventoryChoice(read(text), text)
    except ConfigError as error:
        good = state.get(_NAME) if may_fall_back else None
        if good is None:
            raise
        first, *more = str(error).splitlines()
        told = f"{first}{f' (and {len(more)} more)' if more else ''}"
        notice = Notice(
            f"the inventory is wrong, and its last good copy is used: {told}. Next: recon validate"
        )
        inventory = read(good)
        return InventoryChoice(replace(inventory, notices=(notice, *inventory.notices)), None)
