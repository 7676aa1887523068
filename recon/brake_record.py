"""What the brake remembers: the baseline and the holds, releases by command, and each cycle's outcome.

State names: ``brake/record.json`` (written by cycles alone), ``brake/released/<scope>.json`` (by ``brake
release``, until a whole cycle has carried it out), and ``cycles/<id>/brake.json``: a cycle that is concluded
twice decides once.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap

from recon.core.brake import Hold
from recon.core.braking import BrakeRecord, Braking, Decision, Held, Scope
from recon.errors import ConfigError, StateError

if TYPE_CHECKING:  # ports describe Arrow batches; who only reads what is held does without Arrow
    from recon.ports import StateStore

_RECORD = "brake/record.json"
_RELEASED = "brake/released/"


def load(state: StateStore) -> BrakeRecord:
    """Return what is remembered; nothing where no cycle has finished yet."""
    content = state.get(_RECORD)
    return BrakeRecord() if content is None else _record(_read(content, _RECORD))


def remember(state: StateStore, cycle: Braking) -> None:
    """Write what outlives a cycle, then forget the releases that it carried out."""
    state.put(_RECORD, json.dumps(_record_document(cycle.record)).encode())
    for name in cycle.released:
        state.delete(name)


def released(state: StateStore) -> dict[str, Scope]:
    """Return the scopes whose loss is to be believed, by the state's names for them."""
    found = {}
    for name in state.names(_RELEASED):
        content = state.get(name)
        if content is not None:
            document = _read(content, name)
            found[name] = Scope(document["source"], document["data_type"])
    return found


def release(state: StateStore, names: Sequence[str]) -> tuple[Held, ...]:
    """Have the next cycle believe what was lost of the scopes called ``names`` (all, if none is named).

    Raises:
        ConfigError: A scope is not held.
    """
    holds = waiting(state)
    held = {one.scope.text: one for one in holds}
    unknown = [name for name in names if name not in held]
    if unknown:
        known = ", ".join(held) or "nothing"
        raise ConfigError(f"{unknown[0]} is not held; what is held: {known}. See recon brake status")
    chosen = tuple(held[name] for name in dict.fromkeys(names)) if names else holds
    for one in chosen:
        name = blake2b(one.scope.text.encode(), digest_size=8).hexdigest()
        state.put(f"{_RELEASED}{name}.json", json.dumps(_scope_document(one.scope)).encode())
    return chosen


def waiting(state: StateStore) -> tuple[Held, ...]:
    """Return the holds that no release covers."""
    return tuple(one for one in load(state).holds if not is_released(one.scope, released(state).values()))


def is_released(scope: Scope, releases: Iterable[Scope]) -> bool:
    """Tell whether a release covers a scope."""
    return any(one.covers(scope) for one in releases)


def keep_outcome(state: StateStore, cycle_id: str, cycle: Braking) -> None:
    """Write what a cycle decided."""
    document = {
        "held": [held_document(one) for one in cycle.decision.held],
        "believed": [held_document(one) for one in cycle.decision.believed],
        "doubted": sorted(cycle.decision.doubted),
        "gaps": {number: b64encode(bits.serialize()).decode() for number, bits in cycle.gaps.items()},
        "record": _record_document(cycle.record),
        "released": cycle.released,
        "told": cycle.told,
        "lists": cycle.lists,
        "gets": cycle.gets,
        "layouts": [[one.name, one.digest] for one in cycle.layouts],
    }
    state.put(f"cycles/{cycle_id}/brake.json", json.dumps(document).encode())


def outcome(state: StateStore, cycle_id: str) -> Braking | None:
    """Return what a cycle decided; None where it has not."""
    from recon.core.layout import Layout  # noqa: PLC0415 - it brings Polars; see above

    name = f"cycles/{cycle_id}/brake.json"
    content = state.get(name)
    if content is None:
        return None
    document = _read(content, name)
    return Braking(
        Decision(
            tuple(map(_held, document["held"])),
            tuple(map(_held, document["believed"])),
            frozenset((source, data_type) for source, data_type in document["doubted"]),
        ),
        {int(number): BitMap.deserialize(b64decode(bits)) for number, bits in document["gaps"].items()},
        _record(document["record"]),
        tuple(document["released"]),
        tuple(document["told"]),
        document["lists"],
        document["gets"],
        tuple(Layout(name, digest) for name, digest in document["layouts"]),
    )


def held_document(one: Held) -> dict[str, Any]:
    """Return a hold as JSON tells it."""
    return {
        "scope": one.scope.text,
        **_scope_document(one.scope),
        "vanished": one.vanished,
        "before": one.before,
        "since": one.hold.since.astimezone(UTC).isoformat(),
        "cycle_id": one.hold.cycle_id,
        "complete_cycles": one.hold.complete_cycles,
        "as_of": one.as_of.astimezone(UTC).isoformat(),
        "ends_by_itself": one.ends_by_itself,
    }


def _scope_document(scope: Scope) -> dict[str, str]:
    return {"source": scope.source, "data_type": scope.data_type}


def _held(document: Mapping[str, Any]) -> Held:
    since = datetime.fromisoformat(document["since"])
    return Held(
        Scope(document["source"], document["data_type"]),
        Hold(since, document["cycle_id"], document["complete_cycles"]),
        datetime.fromisoformat(document["as_of"]),
        document["before"],
        document["vanished"],
    )


def _record_document(record: BrakeRecord) -> dict[str, Any]:
    return {
        "baseline": record.baseline,
        "holds": [held_document(one) for one in record.holds],
        "bases": [[source, data_type, base] for (source, data_type), base in record.bases.items()],
    }


def _record(document: Mapping[str, Any]) -> BrakeRecord:
    bases = {(source, data_type): base for source, data_type, base in document["bases"]}
    return BrakeRecord(document["baseline"], tuple(map(_held, document["holds"])), bases)


def _read(content: bytes, name: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise StateError(
            f"{name} in the state cannot be read ({error}). Delete it to begin without a baseline: "
            "the next cycle then believes what it sees"
        ) from error
    return document
