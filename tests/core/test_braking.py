"""What the brake holds equals what a plain reading of its rules says, whatever was lost, held or there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.brake import BrakeLimits, Hold
from recon.core.brake_words import words
from recon.core.braking import BrakeRecord, Held, Lost, Moment, Scope, decision, next_record

LIMITS = BrakeLimits()
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAMES = [("nba", "box"), ("nba", "odds"), ("web", "pages"), ("web", "feeds"), ("one", "only")]
WHOLE = Moment("c9", NOW, NOW, whole=True)


def nothing_is_there(scope, names):
    return False


def lost(*numbers: tuple[int, int]) -> dict:
    return dict(zip(NAMES, (Lost(before, vanished) for before, vanished in numbers), strict=False))


def held(scope: Scope, *, hours: float = 0, cycles: int = 0, before: int = 100, vanished: int = 20) -> Held:
    at = NOW - timedelta(hours=hours)
    return Held(scope, Hold(at, "c1", cycles), at, before, vanished)


def scopes(decided) -> set[str]:
    return {one.scope.text for one in decided.held}


def oracle(losses: dict, earlier: set[tuple[str, str]], there: set, *, whole: bool) -> tuple[set, set]:
    """Return (held scopes, doubted types), read off the rules scope by scope in plain Python.

    A scope is written (source, data type), with "" for all; earlier holds are all too young to end in time.
    """
    every = [*losses, *dict.fromkeys((source, "") for source, _ in losses), ("", "")]

    def inside(name, scope):
        return scope[0] in ("", name[0]) and scope[1] in ("", name[1])

    def relevant(scope):
        own = [name for name in losses if inside(name, scope)]
        if scope in earlier:
            return own
        return [name for name in own if not any(inside(name, hold) for hold in earlier)]

    def shown(scope):
        own = {name for name in losses if inside(name, scope)}
        narrower = [
            other for other in every[: every.index(scope)] if {n for n in losses if inside(n, other)} == own
        ]
        return scope in earlier or not narrower

    def bad(scope, doubted):
        before = sum(losses[name].before for name in relevant(scope))
        gone = sum(losses[name].vanished for name in relevant(scope) if name not in doubted)
        if gone == 0:
            return False
        return (before >= 3 and gone == before) or (gone >= 10 and gone / before > 0.15)

    doubted: set = set()
    for scope in every:
        if shown(scope) and bad(scope, doubted):
            losers = [n for n in relevant(scope) if losses[n].vanished and n not in doubted]
            if there & set(losers):
                doubted |= set(losers)
    found = set()
    for scope in every:
        stays = scope in earlier and (not whole or doubted)
        if stays or (shown(scope) and bad(scope, doubted)):
            found.add(scope)
    return found, doubted


numbers = st.integers(0, 60).flatmap(lambda before: st.tuples(st.just(before), st.integers(0, before)))
some_scopes = st.sets(st.sampled_from([*NAMES, ("nba", ""), ("web", ""), ("", "")]), max_size=3)


@given(st.lists(numbers, min_size=1, max_size=5), some_scopes, st.sets(st.sampled_from(NAMES)), st.booleans())
def test_the_decision_is_that_of_the_rules_read_one_by_one(counts, earlier, there, whole):
    losses = lost(*counts)
    earlier = {scope for scope in earlier if any(Scope(*scope).covers(name) for name in losses)}
    holds = [held(Scope(*scope)) for scope in sorted(earlier)]
    decided = decision(
        losses, holds, LIMITS, replace(WHOLE, whole=whole), lambda _, names: bool(there & set(names))
    )
    wanted, doubted = oracle(losses, earlier, there, whole=whole)
    assert {(one.scope.source, one.scope.data_type) for one in decided.held} == wanted
    assert decided.doubted == doubted


def test_each_scope_trips_by_what_all_of_it_lost():
    few_of_each = lost((50, 9), (50, 9), (50, 0), (50, 0), (900, 0))
    assert scopes(decision(few_of_each, [], LIMITS, WHOLE, nothing_is_there)) == {"source:nba"}
    assert scopes(
        decision(lost((50, 9), (1, 0), (50, 9), (1, 0), (50, 9)), [], LIMITS, WHOLE, nothing_is_there)
    ) == {"lake"}


def test_a_loss_that_is_held_trips_no_wider_scope_again():
    losses = lost((100, 100), (50, 7), (50, 0), (50, 0), (100, 0))
    earlier = [held(Scope("nba", "box"))]
    assert scopes(decision(losses, earlier, LIMITS, WHOLE, nothing_is_there)) == {"source:nba+type:box"}


@pytest.mark.parametrize(
    ("hours", "cycles", "vanished", "as_of_later", "believed"),
    [
        (24, 1, 30, True, True),
        (24, 0, 30, True, False),
        (23, 5, 30, True, False),
        (24, 1, 51, True, False),  # more than half
        (24, 1, 30, False, False),  # the same look, met again, confirms nothing
    ],
)
def test_a_loss_is_believed_after_its_time_and_two_further_looks(
    hours, cycles, vanished, as_of_later, believed
):
    one = held(Scope("nba", "box"), hours=hours, cycles=cycles)
    one = one if as_of_later else replace(one, as_of=NOW)
    decided = decision(lost((100, vanished)), [one], LIMITS, WHOLE, nothing_is_there)
    assert bool(decided.believed) is believed
    assert bool(decided.held) is not believed


def test_a_narrow_loss_that_has_stood_is_still_held_while_a_wider_scope_is():
    losses = lost((100, 40), (100, 100))
    holds = [held(Scope(*NAMES[0]), hours=30, cycles=1), held(Scope("nba"), hours=30, cycles=1)]
    decided = decision(losses, holds, LIMITS, WHOLE, nothing_is_there)
    assert decided.holds(NAMES[0])
    assert [one.scope.text for one in decided.believed] == ["source:nba+type:box"]


@pytest.mark.parametrize("moment", [replace(WHOLE, whole=False), replace(WHOLE, skipped=(NAMES[1],))])
def test_a_hold_ends_by_a_whole_look_only(moment):
    earlier = [held(Scope("nba"), hours=30, cycles=5)]
    decided = decision(lost((100, 0)), earlier, LIMITS, moment, nothing_is_there)
    assert list(decided.held) == earlier


def test_a_type_that_is_skipped_keeps_its_hold_and_its_baseline():
    one = held(Scope(*NAMES[1]))
    moment = replace(WHOLE, skipped=(NAMES[1],))
    decided = decision(lost((100, 0)), [one], LIMITS, moment, nothing_is_there)
    assert list(decided.held) == [one]
    record = next_record(
        BrakeRecord("c8", (one,), {NAMES[1]: "c1"}), decided, NAMES[:1], released=(), moment=moment
    )
    assert (record.base(NAMES[0]), record.base(NAMES[1])) == ("c9", "c1")


def test_a_held_type_keeps_its_baseline_and_the_others_move_on():
    decided = decision(lost((100, 40), (900, 0)), [], LIMITS, WHOLE, nothing_is_there)
    record = next_record(BrakeRecord("c8"), decided, NAMES[:2], (), WHOLE)
    assert (record.base(NAMES[0]), record.base(NAMES[1])) == ("c8", "c9")
    assert record.cycles == {"c8", "c9"}
    again = next_record(record, decided, NAMES[:2], (), replace(WHOLE, cycle_id="c10"))
    assert (again.base(NAMES[0]), again.base(NAMES[1])) == ("c8", "c10")


def test_a_cycle_that_is_not_whole_or_that_saw_wrongly_is_no_baseline():
    before = BrakeRecord("c8", (), {NAMES[0]: "c1"})
    partly = replace(WHOLE, whole=False)
    calm = decision(lost((100, 0)), [], LIMITS, partly, nothing_is_there)
    assert next_record(before, calm, NAMES[:2], (), partly) == before
    wrong = decision(lost((100, 100)), [], LIMITS, WHOLE, lambda *_: True)
    assert next_record(before, wrong, NAMES[:2], (), WHOLE).baseline == "c8"


def test_a_person_is_told_of_the_widest_scope_once_and_what_to_do():
    decided = decision(lost((100, 100), (10, 10)), [], LIMITS, WHOLE, nothing_is_there)
    (line,) = words(decided, LIMITS, ())
    assert line.startswith("source nba lost 110 of 110 objects")
    assert "source:nba+type:box" in line
    assert line.endswith("recon brake release source:nba")
