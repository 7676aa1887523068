"""What one cycle leaves for the next: where to cut the key space, first sightings of gaps, proven types.

State names: ``hints.json`` and ``memory.json``. Losing them costs speed, or a later date, never truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from recon.core.sketch import Sketch
from recon.model import Shard
from recon.ports import StateStore

_HINTS_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Hints:
    """Page boundaries of the last cycle over ``lake``, and whether its backend's order can be trusted."""

    boundaries: tuple[bytes, ...] = ()
    ordered: bool = True

    @staticmethod
    def load(state: StateStore, lake: str) -> Hints:
        """Return the last cycle's hints for this lake; none where there are none or they cannot be read."""
        try:
            document = json.loads(state.get("hints.json") or b"{}")
            if document.get("lake") != lake:
                return Hints()
            keys = tuple(bytes.fromhex(key) for key in document["boundaries"])
            return Hints(keys, bool(document["ordered"]))
        except (ValueError, KeyError, TypeError):
            return Hints()

    @staticmethod
    def distrust(state: StateStore, lake: str) -> None:
        """Remember that this lake's backend must be listed by whole prefixes, from the next cycle on."""
        _save_hints(state, lake, Hints(Hints.load(state, lake).boundaries, ordered=False))

    @staticmethod
    def learn(state: StateStore, lake: str, sketch: Sketch, scanned: Sequence[Shard]) -> None:
        """Remember the boundaries this cycle saw; outside the shards it saw whole, the older ones stay."""
        before = Hints.load(state, lake)
        seen: set[bytes] = set()
        for result in sketch.shards.values():
            seen.update(result.facts.boundaries)
        if not all(sketch.complete(shard.id) for shard in scanned):
            seen.update(before.boundaries)
        disorderly = any(result.facts.out_of_order for result in sketch.shards.values())
        keys = sorted(seen)
        step = max(1, -(-len(keys) // _HINTS_MAX))
        found = Hints(tuple(keys[::step]), ordered=before.ordered and not disorderly)
        _save_hints(state, lake, found)


def _save_hints(state: StateStore, lake: str, hints: Hints) -> None:
    boundaries = [key.hex() for key in hints.boundaries]
    document = {"lake": lake, "ordered": hints.ordered, "boundaries": boundaries}
    state.put("hints.json", json.dumps(document).encode())


@dataclass(slots=True)
class Memory:
    """When each open gap was first seen, and the data types of which an object was ever observed."""

    first_seen: dict[str, str] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    _met: set[str] = field(default_factory=set)

    @staticmethod
    def load(state: StateStore) -> Memory:
        """Return what is remembered; nothing where nothing can be read."""
        try:
            document = json.loads(state.get("memory.json") or b"{}")
            return Memory(dict(document.get("first_seen", {})), set(document.get("proven", [])))
        except (ValueError, TypeError, AttributeError):
            return Memory()

    def since(self, gap: str, now: datetime) -> datetime:
        """Return when ``gap`` was first seen: now, unless it is remembered."""
        self._met.add(gap)
        text = self.first_seen.setdefault(gap, now.astimezone(UTC).isoformat(timespec="seconds"))
        return datetime.fromisoformat(text)

    def prove(self, names: Iterable[str]) -> None:
        """Remember data types (``source.type``) of which objects were observed."""
        self.proven.update(names)

    def save(self, state: StateStore) -> None:
        """Write what is remembered; gaps that this cycle did not meet are closed and forgotten."""
        open_gaps = {gap: seen for gap, seen in self.first_seen.items() if gap in self._met}
        document = {"first_seen": open_gaps, "proven": sorted(self.proven)}
        state.put("memory.json", json.dumps(document).encode())
