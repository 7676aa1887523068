"""The last finished cycle's findings, made again from its saved plan and sketches."""

from __future__ import annotations

import json

from recon import plan as plans
from recon import sketch_file
from recon.comparison import Comparison, compared
from recon.core.sketch import Sketch
from recon.errors import StateError
from recon.memory import Memory
from recon.ports import StateStore


def latest(state: StateStore) -> str:
    """Return the id of the last finished cycle; raise ``StateError`` when there is none."""
    content = state.get("latest.json")
    if content is None:
        raise StateError("no cycle has finished yet in this state. Run one first: recon run")
    return str(json.loads(content)["cycle_id"])


def report(state: StateStore, cycle_id: str) -> dict[str, object]:
    """Return the report of a finished cycle."""
    content = state.get(f"cycles/{cycle_id}/report.json")
    if content is None:
        raise StateError(f"the state holds no report of cycle {cycle_id}. Run one: recon run")
    document: dict[str, object] = json.loads(content)
    return document


def merged(state: StateStore, judged: plans.Judgement) -> Sketch:
    """Return the merged sketch of a cycle: one result for each shard that reported."""
    sketch = Sketch()
    for shard in judged.scanned:
        content = state.get(f"cycles/{judged.plan.cycle_id}/shards/{shard.id}.arrow")
        if content is not None:
            sketch = sketch.merged(Sketch({shard.id: sketch_file.decoded(content)}))
    return sketch


def last_findings(state: StateStore) -> Comparison:
    """Return what the last finished cycle found, key by key."""
    judged = plans.load(state, latest(state))
    return compared(judged, merged(state, judged), Memory.load(state))


def forget_earlier(state: StateStore, keep: str) -> None:
    """Delete the plans and sketches of earlier cycles; their reports stay."""
    earlier = {name.split("/")[1] for name in state.names("cycles/") if not name.endswith("/report.json")}
    for cycle_id in earlier - {keep}:
        for part in ("shards/", "catalogs/", "plan.json", "timings.json"):
            state.delete(f"cycles/{cycle_id}/{part}")
