"""The last finished cycle's findings, made again from its saved plan and sketches."""

from __future__ import annotations

from collections.abc import Iterable

from recon import plan as plans
from recon import sketch_file
from recon.brake_record import outcome
from recon.comparison import Comparison, compared
from recon.core.braking import NO_BRAKING
from recon.core.carried import Seen, carried, counterpart
from recon.core.second_look import NO_SECOND_LOOK, SecondLook
from recon.core.sketch import Sketch
from recon.last_cycle import latest
from recon.memory import Memory
from recon.ports import StateStore
from recon.sight import Sight


def merged(state: StateStore, judged: plans.Judgement) -> Sketch:
    """Return the merged sketch of a cycle: one result for each shard that reported."""
    sketch = Sketch()
    for shard in judged.scanned:
        content = state.get(f"cycles/{judged.plan.cycle_id}/shards/{shard.id}.arrow")
        if content is not None:
            sketch = sketch.merged(Sketch({shard.id: sketch_file.decoded(content)}))
    return sketch


def second_look(state: StateStore, cycle_id: str) -> SecondLook | None:
    """Return what a cycle looked at again; None where it has not."""
    content = state.get(f"cycles/{cycle_id}/second_look.arrow")
    return None if content is None else sketch_file.decoded_look(content)


def keep_second_look(state: StateStore, cycle_id: str, second: SecondLook) -> None:
    """Write what a cycle looked at again."""
    state.put(f"cycles/{cycle_id}/second_look.arrow", sketch_file.encoded_look(second))


def sight_of(state: StateStore, judged: plans.Judgement) -> Sight:
    """Return what a cycle saw, as far as the state holds it."""
    kept, second = judged.plan.kept, second_look(state, judged.plan.cycle_id) or NO_SECOND_LOOK
    brake = outcome(state, judged.plan.cycle_id) or NO_BRAKING
    if kept is None:
        return Sight(judged, merged(state, judged), second, brake=brake)
    before = plans.load(state, kept.cycle_id)
    sight = sight_of(state, before)
    earlier = _known(compared(before, sight, Memory()), sight)
    carry = {
        number: carried(domain, counterpart(domain, earlier)) for number, domain in enumerate(judged.domains)
    }
    return Sight(judged, sight.sketch, second, carry, brake)


def _known(found: Comparison, sight: Sight) -> list[Seen]:
    """Return what a cycle knew of each of its domains."""
    return [
        Seen(domain, sight.of(number), found.unknown(number))
        for number, domain in enumerate(found.judged.domains)
    ]


def last_findings(state: StateStore) -> Comparison:
    """Return what the last finished cycle found, key by key."""
    judged = plans.load(state, latest(state))
    return compared(judged, sight_of(state, judged), Memory.load(state))


def forget_earlier(state: StateStore, keep: Iterable[str]) -> None:
    """Delete the plans and sketches of all cycles but those in ``keep``; their reports stay."""
    earlier = {name.split("/")[1] for name in state.names("cycles/") if not name.endswith("/report.json")}
    for cycle_id in earlier.difference(keep):
        for part in ("shards/", "catalogs/", "plan.json", "timings.json", "second_look.arrow", "brake.json"):
            state.delete(f"cycles/{cycle_id}/{part}")
