"""What a domain lost equals a set difference over keys, or over counts per partition, in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from declared import NOW, bound_type, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from recon.core.block import bitmap, ordinals_of
from recon.core.coverage import counted
from recon.core.domain import Domain
from recon.core.losses import Earlier, counted_loss, counterpart, exact_loss
from recon.core.sketch import DomainSketch, Tally
from recon.core.verdicts import facts_of, verdicts

DAYS = ["2025-01-01", "2025-01-02", "2025-01-03"]


def domain(pattern: str, days: int, **settings: object) -> Domain:
    bound = bound_type(
        dataset(pattern, **settings),
        dimensions={"n": {"integers": f"0..{days + 2}"}, "day": {"values": DAYS[:days]}},
    )
    return Domain(bound, bound.expectations[0])


def sketch(present: BitMap, objects: list[int]) -> DomainSketch:
    tally = Tally.zero(len(objects))
    return DomainSketch(
        present,
        BitMap(),
        BitMap(),
        replace(tally, objects=np.array(objects, np.int64), have=np.array(objects)),
    )


def some(data: st.DataObject, of: Domain) -> BitMap:
    return BitMap(data.draw(st.sets(st.integers(0, of.size - 1))))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.data())
def test_lost_keys_are_those_that_were_there_and_are_seen_to_be_absent(before, now, data):
    pattern = "{day}/{n}.json"
    then, today = domain(pattern, before), domain(pattern, now)
    was, present, unseen = some(data, then), some(data, today), some(data, today)
    earlier = counterpart(today, [Earlier(then, sketch(was, []))])
    found = verdicts(facts_of(today, sketch(present, []), unseen, (), NOW))
    loss = exact_loss(today, found, earlier)
    keys = dict(enumerate(today.decode(ordinals_of(today.expected)).to_list()))
    were = set(then.decode(ordinals_of(was)).to_list()) if was else set()
    gone = {at for at, key in keys.items() if key in were and at not in present and at not in unseen}
    assert set(loss.gone) == set(loss.gaps) == gone
    assert (loss.before, loss.vanished) == (len(were & set(keys.values())), len(gone))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.data())
def test_lost_objects_are_those_of_partitions_that_were_seen_and_fall_short(before, now, data):
    declared = {"pattern": "{day}/{part}.bin", "expected_per": ("day", 4)}
    then, today = domain(days=before, **declared), domain(days=now, **declared)
    counts = st.lists(st.integers(0, 9), min_size=3, max_size=3)
    was, have, unseen = data.draw(counts)[:before], data.draw(counts)[:now], some(data, today)
    earlier = counterpart(today, [Earlier(then, sketch(BitMap(), was))])
    loss = counted_loss(today, counted(today, sketch(BitMap(), have).tally, unseen, BitMap()), earlier)
    lost = {
        day: was[day] - have[day]
        for day in range(min(before, now))
        if have[day] < was[day] and have[day] < 4 and day not in unseen
    }
    assert loss.before == sum(was[:now])
    assert loss.vanished == sum(lost.values())
    assert loss.gone == loss.gaps == bitmap(np.array(sorted(lost), np.int64))


def test_a_type_of_other_patterns_or_of_another_kind_has_no_counted_baseline():
    then = domain("{day}/{part}.bin", 2, expected_per=("day", 4))
    other = domain("x/{day}/{part}.bin", 2, expected_per=("day", 4))
    earlier = [Earlier(then, sketch(BitMap(), [4, 4]))]
    assert counterpart(other, earlier) is None
    assert counterpart(domain("{day}/{n}.json", 2), earlier) is None
    assert counterpart(then, earlier) is earlier[0]
