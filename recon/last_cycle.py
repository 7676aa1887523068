"""The last finished cycle, as ``latest.json`` names it, and the report of any: ``cycles/<id>/report.json``.

It imports neither Arrow nor Polars: commands that only show a report need no more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recon.errors import StateError

if TYPE_CHECKING:  # ports describe Arrow batches
    from recon.ports import StateStore


def latest(state: StateStore) -> str:
    """Return the id of the last finished cycle; raise ``StateError`` when there is none."""
    content = state.get("latest.json")
    if content is None:
        raise StateError("no cycle has finished yet in this state. Run one first: recon run")
    return str(json.loads(content)["cycle_id"])


def latest_fence(state: StateStore) -> int:
    """Return the fence of the last finished cycle; 0 where it is not known."""
    return int(json.loads(state.get("latest.json") or b"{}").get("fence", 0))


def report(state: StateStore, cycle_id: str) -> dict[str, object]:
    """Return the report of a finished cycle."""
    content = state.get(f"cycles/{cycle_id}/report.json")
    if content is None:
        raise StateError(f"the state holds no report of cycle {cycle_id}. Run one: recon run")
    document: dict[str, object] = json.loads(content)
    return document
