"""The brake on sudden losses: what a cycle sees is gone, against the last one that looked at everything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from recon import plan as plans
from recon.brake_record import is_released, load, outcome, released
from recon.comparison import Comparison
from recon.core.brake_words import words
from recon.core.braking import (
    BrakeRecord,
    Braking,
    Lost,
    Moment,
    Scope,
    TypeName,
    decision,
    next_record,
    type_name,
)
from recon.core.domain import Domain
from recon.core.layout import Layout, layout
from recon.core.losses import Earlier, Loss, counted_loss, counterpart, exact_loss
from recon.errors import StateError
from recon.findings import sight_of
from recon.model import Kind
from recon.ports import Lister, StateStore
from recon.vanished_look import VanishedLook


def braking(lister: Lister, state: StateStore, found: Comparison) -> Braking:
    """Return what the brake makes of a cycle's findings; what vanished suddenly is asked for, live, first.

    A dry run decides as if it were none, and remembers nothing: that is up to ``record``.
    """
    plan, judged = found.judged.plan, found.judged
    record, releases = load(state), released(state)
    names = list(dict.fromkeys(type_name(domain.dataset) for domain in judged.domains))
    skipped = tuple(type_name(bound.dataset) for bound in judged.skipped)
    believed = [name for name in (*names, *skipped) if is_released(Scope(*name), releases.values())]
    whole = found.complete and plan.kept is None and not plan.options.select
    moment = Moment(plan.cycle_id, plan.started_at, plan.as_of, whole, skipped)
    limits = plan.options.brake
    layouts = tuple(map(layout, judged.domains))
    losses = _losses(state, found, record, believed, layouts) if limits.enabled else {}
    asked = VanishedLook(lister, found, losses, limits.head_max)
    decided = decision(
        {name: _lost(found, losses, name) for name in names},
        [one for one in record.holds if limits.enabled and not is_released(one.scope, releases.values())],
        limits,
        moment,
        asked.is_there,
    )
    following = next_record(record, decided, names, believed, moment)
    return Braking(
        decided,
        {
            number: loss.gaps
            for number, loss in losses.items()
            if loss.gaps and decided.holds_back(type_name(found.judged.domains[number].dataset))
        },
        following,
        tuple(releases) if following.baseline == plan.cycle_id else (),
        words(decided, limits, tuple(sorted(asked.failures))),
        asked.lists,
        asked.gets,
        layouts,
    )


def _lost(found: Comparison, losses: Mapping[int, Loss], name: TypeName) -> Lost:
    own = [loss for number, loss in losses.items() if type_name(found.judged.domains[number].dataset) == name]
    return Lost(sum(loss.before for loss in own), sum(loss.vanished for loss in own))


def _losses(
    state: StateStore,
    found: Comparison,
    record: BrakeRecord,
    believed: Collection[TypeName],
    layouts: Sequence[Layout],
) -> dict[int, Loss]:
    """Return what each domain lost, by number; one without a baseline lost nothing."""
    bases = {
        number: record.base(type_name(found.judged.domains[number].dataset))
        for number in range(len(found.judged.domains))
        if type_name(found.judged.domains[number].dataset) not in believed
    }
    known = dict(zip(layouts, found.judged.domains, strict=True))
    lake = found.judged.plan.options.lake
    seen = {base: _seen(state, base, lake, known) for base in set(bases.values()) if base is not None}
    losses = {}
    for number, base in bases.items():
        domain = found.judged.domains[number]
        earlier = None if base is None else counterpart(domain, seen[base])
        if earlier is not None and domain.kind is Kind.EXACT:
            losses[number] = exact_loss(domain, found.verdicts[number], earlier)
        elif earlier is not None:
            losses[number] = counted_loss(domain, found.counted[number], earlier)
    return losses


def _seen(state: StateStore, cycle_id: str, lake: str, known: Mapping[Layout, Domain]) -> list[Earlier]:
    """Return what an earlier cycle saw of each of its domains; nothing where the state lost it."""
    cycle = outcome(state, cycle_id)
    try:
        before = plans.load_again(state, cycle_id, () if cycle is None else cycle.layouts, known)
    except StateError:
        return []
    if before.plan.options.lake != lake:
        return []
    sight = sight_of(state, before)
    return [Earlier(domain, sight.of(number)) for number, domain in enumerate(before.domains)]
