"""The exit code of a finished cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recon.model import Priority


def exit_code(document: Mapping[str, Any], fail_on: str | None) -> int:
    """Return the exit code of a finished cycle: 4 for what could not be seen comes before 3 for gaps."""
    seen_wrongly = document.get("brake", {}).get("doubted")
    if document["observed"]["shards"]["failed"] or document["skipped"] or seen_wrongly:
        return 4
    levels = [level.label for level in Priority if fail_on is not None and level <= Priority[fail_on.upper()]]
    return 3 if any(document["gaps"]["by_priority"][level] for level in levels) else 0
