"""Which scopes the brake holds: each data type, each source and the lake, from what was lost of them.

A held scope keeps its baseline. It is judged by all that was lost of it; one that is not held, by what no
hold covers yet, so that one loss is not found twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from pyroaring import BitMap

from recon.core.brake import BrakeLimits, Hold, releases, trips

if TYPE_CHECKING:  # they bring Polars, which whoever only reads what is held does without
    from recon.core.inventory import Dataset
    from recon.core.layout import Layout

#: Source and data type.
TypeName = tuple[str, str]
_NONE = BitMap()


def type_name(dataset: Dataset) -> TypeName:
    """Return the source and data type of a declaration."""
    return dataset.source, dataset.data_type


@dataclass(frozen=True, slots=True)
class Scope:
    """A data type, a source (no data type), or the lake (neither)."""

    source: str = ""
    data_type: str = ""

    @property
    def text(self) -> str:
        """Return how ``recon brake`` spells it: as ``--select`` does, and ``lake``."""
        if not self.source:
            return "lake"
        return f"source:{self.source}" + (f"+type:{self.data_type}" if self.data_type else "")

    def covers(self, other: TypeName | Scope) -> bool:
        """Tell whether a data type, or a scope, lies in this one."""
        source, data_type = (other.source, other.data_type) if isinstance(other, Scope) else other
        return self.source in {"", source} and self.data_type in {"", data_type}


@dataclass(frozen=True, slots=True)
class Held:
    """A scope that is held: ``vanished`` of ``before``; ``as_of`` is what the last look counted shows."""

    scope: Scope
    hold: Hold
    as_of: datetime
    before: int
    vanished: int

    @property
    def ends_by_itself(self) -> bool:
        """Tell whether the loss is believed once it has stood for long enough."""
        return 2 * self.vanished <= self.before


@dataclass(frozen=True, slots=True)
class Lost:
    """How much of a data type's baseline is gone."""

    before: int
    vanished: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The cycle that decides; ``whole`` tells that it looked at everything itself.

    ``skipped`` data types could not be judged this time.
    """

    cycle_id: str
    now: datetime
    as_of: datetime
    whole: bool
    skipped: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Scopes that are held, those whose loss has stood and is believed, and types that were seen wrongly."""

    held: tuple[Held, ...] = ()
    believed: tuple[Held, ...] = ()
    doubted: frozenset[TypeName] = frozenset()

    def holds(self, name: TypeName) -> bool:
        """Tell whether a data type lies in a held scope."""
        return any(one.scope.covers(name) for one in self.held)

    def holds_back(self, name: TypeName) -> bool:
        """Tell whether what vanished of a data type is not published: it is held, and was seen rightly."""
        return self.holds(name) and name not in self.doubted


@dataclass(frozen=True, slots=True)
class BrakeRecord:
    """What outlives a cycle: the last whole one, the holds, and the older baselines of some data types."""

    baseline: str | None = None
    holds: tuple[Held, ...] = ()
    bases: Mapping[TypeName, str] = field(default_factory=dict)

    def base(self, name: TypeName) -> str | None:
        """Return the cycle that is a data type's baseline."""
        return self.bases.get(name, self.baseline)

    @property
    def cycles(self) -> set[str]:
        """Return the cycles whose plans and sketches must stay."""
        return {*self.bases.values(), *([self.baseline] if self.baseline else [])}


@dataclass(frozen=True, slots=True, eq=False)
class Braking:
    """One cycle's outcome: the decision, the gaps it holds by domain number, and what is remembered next.

    ``released`` names the releases that were carried out; ``told`` is what a person should know; ``layouts``
    are digests of the cycle's domains, by number.
    """

    decision: Decision = field(default_factory=Decision)
    gaps: Mapping[int, BitMap] = field(default_factory=dict)
    record: BrakeRecord = field(default_factory=BrakeRecord)
    released: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    lists: int = 0
    gets: int = 0
    layouts: tuple[Layout, ...] = ()

    def at(self, number: int) -> BitMap:
        """Return the ordinals of a domain's gaps that are held."""
        return self.gaps.get(number, _NONE)

    def doubts(self, dataset: Dataset) -> bool:
        """Tell whether a data type was seen wrongly: what is absent of it is unknown."""
        return type_name(dataset) in self.decision.doubted


#: Of a cycle whose losses were not judged.
NO_BRAKING = Braking()

#: Tells whether something that vanished from these data types of a scope is there after all.
IsThere = Callable[[Scope, Collection[TypeName]], bool]


def decision(
    losses: Mapping[TypeName, Lost],
    earlier: Sequence[Held],
    limits: BrakeLimits,
    moment: Moment,
    is_there: IsThere,
) -> Decision:
    """Return what is held after a cycle. A hold ends only by a whole look at all of its scope.

    ``is_there`` is asked for every scope whose loss trips the brake: where it finds something, the types
    that lost something in it were seen wrongly.
    """
    holds = {one.scope: one for one in earlier}
    pinned = {name for name in losses if any(one.scope.covers(name) for one in earlier)}
    doubted: set[TypeName] = set()

    def total(scope: Scope) -> Lost:
        names = [name for name in _members(scope, losses) if scope in holds or name not in pinned]
        trusted = [losses[name].vanished for name in names if name not in doubted]
        return Lost(sum(losses[name].before for name in names), sum(trusted))

    scopes = list(_scopes(losses, holds))
    for scope in scopes:
        lost = total(scope)
        if trips(lost.before, lost.vanished, limits):
            names = [name for name in _members(scope, losses) if losses[name].vanished]
            losers = [n for n in names if n not in doubted and (scope in holds or n not in pinned)]
            if is_there(scope, losers):
                doubted.update(losers)
    held: list[Held] = []
    believed: list[Held] = []
    for scope in scopes:
        lost, hold = total(scope), holds.get(scope)
        if hold is not None and not (moment.whole and not doubted and not _members(scope, moment.skipped)):
            held.append(hold)
        elif trips(lost.before, lost.vanished, limits):
            stands = _stands(scope, lost, hold, moment)
            is_over = releases(lost.before, lost.vanished, stands.hold, moment.now, limits)
            (believed if hold is not None and is_over else held).append(stands)
    held.extend(one for one in earlier if one.scope not in scopes and _members(one.scope, moment.skipped))
    return Decision(tuple(held), tuple(believed), frozenset(doubted))


def next_record(
    before: BrakeRecord,
    decided: Decision,
    names: Collection[TypeName],
    released: Collection[TypeName],
    moment: Moment,
) -> BrakeRecord:
    """Return what outlives a cycle that judged ``names``; a type that is declared no more has no baseline.

    A held type keeps its baseline; so does every type after a cycle that is no baseline.
    """
    is_baseline = moment.whole and not decided.doubted
    baseline = moment.cycle_id if is_baseline else before.baseline
    bases: dict[TypeName, str] = {}
    for name in (*names, *moment.skipped):
        base = None if name in released else before.base(name)
        stays = not is_baseline or name in moment.skipped or decided.holds(name)
        if stays and base is not None and base != baseline:
            bases[name] = base
    return BrakeRecord(baseline, decided.held, bases)


def _stands(scope: Scope, lost: Lost, earlier: Held | None, moment: Moment) -> Held:
    """Return the hold as it stands after this cycle; the same look, met again, confirms nothing."""
    if earlier is None:
        hold = Hold(moment.now, moment.cycle_id)
        return Held(scope, hold, moment.as_of, lost.before, lost.vanished)
    hold, as_of = earlier.hold, earlier.as_of
    if moment.whole and moment.as_of > as_of:
        hold, as_of = replace(hold, complete_cycles=hold.complete_cycles + 1), moment.as_of
    return Held(scope, hold, as_of, lost.before, lost.vanished)


def _scopes(losses: Mapping[TypeName, Lost], held: Collection[Scope]) -> Iterator[Scope]:
    """Yield every scope, narrow ones first; one that is all of a narrower one only where it is held."""
    sources = list(dict.fromkeys(source for source, _ in losses))
    yield from (Scope(*name) for name in losses)
    for source in sources:
        several = sum(name[0] == source for name in losses) > 1
        if several or Scope(source) in held:
            yield Scope(source)
    if len(sources) > 1 or (losses and Scope() in held):
        yield Scope()


def _members(scope: Scope, names: Collection[TypeName]) -> list[TypeName]:
    return [name for name in names if scope.covers(name)]
