"""The document behind ``inventory/gaps.json``: outstanding tasks as the owner's orchestrator reads them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from recon.model import Priority

#: Minutes a scraper is reckoned to need for one file; the owner's own estimates range from 0.5 to 10.
MINUTES_PER_FILE = 1.0


def gaps_document(
    bodies: Iterable[bytes],
    generated_at: datetime,
    *,
    minutes_per_file: float = MINUTES_PER_FILE,
) -> dict[str, Any]:
    """Return the document for task bodies (v1), in the given order; its numbers count tasks."""
    tasks = [_entry(json.loads(body), minutes_per_file) for body in bodies]
    levels = Counter(task["priority"].lower() for task in tasks)
    return {
        "generated_at": generated_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "total_tasks": len(tasks),
        "by_priority": {level.label: levels[level.label] for level in Priority},
        "by_source": dict(Counter(task["source"] for task in tasks)),
        "by_scraper": dict(Counter(task["scraper"] for task in tasks)),
        "estimated_total_minutes": sum(task["estimated_time_minutes"] for task in tasks),
        "tasks": tasks,
    }


def _entry(body: Mapping[str, Any], minutes_per_file: float) -> dict[str, Any]:
    """Return one task as the orchestrator knows it; ``game_ids`` only where every item has one."""
    files = len(body["keys"]) or max(1, body["expect"].get("expected", 1) - body["expect"].get("have", 0))
    entry = {
        "id": body["id"],
        "priority": body["priority"].upper(),
        "gap_type": body["reason"],
        "source": body["source"],
        "data_type": body["data_type"],
        "season": body["partition"].get("season"),
        "scraper": body["scraper"],
        "items": body["items"],
        "keys": body["keys"],
        "missing_files": files,
        "estimated_time_minutes": max(1, math.ceil(files * minutes_per_file)),
        "reason": _sentence(body, files),
        "status": "pending",
    }
    game_ids = [item["game_id"] for item in body["items"] if "game_id" in item]
    if game_ids and len(game_ids) == len(body["items"]):
        entry["game_ids"] = game_ids
    return entry


def _sentence(body: Mapping[str, Any], files: int) -> str:
    where = ", ".join(f"{name} {value}" for name, value in body["partition"].items())
    what = f"{body['source']} {body['data_type']}" + (f" ({where})" if where else "")
    if body["keys"]:
        return f"{files} {body['reason']} in {what}"
    return f"{what} has {body['expect'].get('have', 0)} of {body['expect'].get('expected', 1)}"
