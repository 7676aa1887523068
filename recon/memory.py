"""What one cycle leaves for the next: where to cut the key space, first sightings of gaps, proven types.

State names: ``hints.json`` and ``memory.json``. Losing them costs speed, or a later date, never truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from recon.core.marks import thinned
from recon.core.shards import observed
from recon.core.sketch import Sketch
from recon.plan import KEYS_APART, Judgement
from recon.ports import StateStore

_HINTS_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Hints:
    """What earlier cycles over a lake saw: keys about ``apart`` keys from each other, all over it.

    ``ordered`` is False for a backend whose order cannot be trusted.
    """

    boundaries: tuple[bytes, ...] = ()
    ordered: bool = True
    apart: int = KEYS_APART

    @staticmethod
    def load(state: StateStore, lake: str) -> Hints:
        """Return the last cycle's hints for this lake; none where there are none or they cannot be read."""
        try:
            document = json.loads(state.get("hints.json") or b"{}")
            if document.get("lake") != lake:
                return Hints()
            keys = tuple(bytes.fromhex(key) for key in document["boundaries"])
            return Hints(keys, bool(document["ordered"]), int(document["apart"]))
        except (ValueError, KeyError, TypeError):
            return Hints()

    @staticmethod
    def distrust(state: StateStore, lake: str) -> None:
        """Remember that this lake's backend must be listed by whole prefixes, from the next cycle on."""
        replace(Hints.load(state, lake), ordered=False).save(state, lake)

    @staticmethod
    def learn(state: StateStore, judged: Judgement, sketch: Sketch) -> None:
        """Remember the boundaries this cycle saw; where it did not look to the end, the older ones stay.

        A report has none: what earlier listings left is kept for the next one.
        """
        plan = judged.plan
        if plan.report is not None:
            return
        before = Hints.load(state, plan.options.lake)
        complete = [shard for shard in judged.planned if sketch.complete(shard.id)]
        found = {key for result in sketch.shards.values() for key in result.facts.boundaries}
        partly = len(complete) < len(judged.planned) or bool(plan.options.select)
        if partly:
            seen = observed(span for shard in complete for span in shard.ranges)
            older = pl.Series(before.boundaries, dtype=pl.Binary)
            found.update(older.filter(~pl.Series(seen.mask(older), dtype=pl.Boolean)).to_list())
        disorderly = any(result.facts.out_of_order for result in sketch.shards.values())
        learned = Hints(
            tuple(thinned(sorted(found), _HINTS_MAX)),
            ordered=plan.ordered and not disorderly,
            apart=_apart(plan.apart, len(found), partly=partly),
        )
        learned.save(state, plan.options.lake)

    def save(self, state: StateStore, lake: str) -> None:
        """Write what was learned of ``lake``."""
        document = {
            "lake": lake,
            "ordered": self.ordered,
            "apart": self.apart,
            "boundaries": [key.hex() for key in self.boundaries],
        }
        state.put("hints.json", json.dumps(document).encode())


def _apart(before: int, found: int, *, partly: bool) -> int:
    """Return how far apart the next cycle's boundaries are: one distance, so that they weigh the same."""
    if found > _HINTS_MAX:
        return before * -(-found // _HINTS_MAX)
    return before if partly or found > _HINTS_MAX // 4 else max(KEYS_APART, before // 2)


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
