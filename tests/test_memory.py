"""What one cycle leaves for the next: hints as dense everywhere, kept where nobody looked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from declared import dataset, inventory

from recon.adapters.state_store import MemoryStateStore
from recon.core.sketch import ShardFacts, ShardSketch, Sketch
from recon.memory import Hints
from recon.plan import Judgement, Options, Plan, PlannedRange, PlannedShard, judgement

LAKE = "s3://lake"
SHARDS = tuple(
    PlannedShard(name, (PlannedRange(b"k/", low, high),))
    for name, low, high in (("a", b"", b"k/3"), ("b", b"k/3", b"k/6"), ("c", b"k/6", None))
)


@pytest.fixture
def state():
    return MemoryStateStore()


def judged(*, scan: str = "abc", apart: int = 1000, ordered: bool = True, **options: object) -> Judgement:
    chosen = replace(Options(LAKE), **options)
    planned = tuple(replace(shard, scan=shard.id in scan) for shard in SHARDS)
    declared = inventory(dataset("k/{n}", name="a.b"))
    plan = Plan("c", datetime.now(UTC), declared, chosen, planned, ordered=ordered, apart=apart)
    return judgement(plan, {})


def sketch(failed: str = "", **boundaries: list[bytes]) -> Sketch:
    return Sketch(
        {
            name: ShardSketch(
                ShardFacts(name, "", "", "denied" if name in failed else None, boundaries=tuple(keys))
            )
            for name, keys in boundaries.items()
        }
    )


def test_a_whole_cycle_replaces_every_hint(state):
    Hints.learn(state, judged(), sketch(a=[b"k/1"], b=[b"k/4"], c=[b"k/7"]))
    Hints.learn(state, judged(), sketch(a=[b"k/2"], b=[b"k/5"], c=[b"k/8"]))
    assert Hints.load(state, LAKE).boundaries == (b"k/2", b"k/5", b"k/8")


def test_where_a_sample_did_not_look_the_older_hints_stay(state):
    Hints.learn(state, judged(), sketch(a=[b"k/1"], b=[b"k/4"], c=[b"k/7"]))
    Hints.learn(state, judged(scan="b"), sketch(b=[b"k/5"]))
    assert Hints.load(state, LAKE).boundaries == (b"k/1", b"k/5", b"k/7")


def test_a_shard_that_failed_adds_hints_and_takes_none(state):
    Hints.learn(state, judged(), sketch(a=[b"k/1"], b=[b"k/4"], c=[b"k/7"]))
    Hints.learn(state, judged(), sketch(a=[b"k/2"], b=[b"k/5"], c=[b"k/8"], failed="b"))
    assert Hints.load(state, LAKE).boundaries == (b"k/2", b"k/4", b"k/5", b"k/8")


def test_a_selection_forgets_nothing_outside_it(state):
    Hints.learn(state, judged(), sketch(a=[b"k/1"], b=[b"k/4", b"z/9"], c=[b"k/7"]))
    selected = judged(select=((("type", "b"),),))
    Hints.learn(state, selected, sketch(a=[b"k/2"], b=[], c=[]))
    assert Hints.load(state, LAKE).boundaries == (b"k/2", b"z/9")


def test_too_many_hints_are_thinned_and_the_next_cycle_looks_for_fewer(state):
    many = [b"k/2%06d" % number for number in range(20_000)]
    Hints.learn(state, judged(), sketch(a=many, b=[], c=[]))
    hints = Hints.load(state, LAKE)
    assert 4096 <= len(hints.boundaries) <= 8192
    assert hints.apart == 3000


def test_hints_grow_dense_again_when_a_whole_lake_shrank(state):
    few = sketch(a=[b"k/1"], b=[b"k/4"], c=[b"k/7"])
    Hints.learn(state, judged(apart=3000, scan="a"), sketch(a=[b"k/1"]))
    assert Hints.load(state, LAKE).apart == 3000
    Hints.learn(state, judged(apart=3000), few)
    assert Hints.load(state, LAKE).apart == 1500
    Hints.learn(state, judged(apart=1500), few)
    assert Hints.load(state, LAKE).apart == 1000


def test_order_once_lost_stays_lost(state):
    Hints.learn(state, judged(ordered=False), sketch(a=[], b=[], c=[]))
    assert not Hints.load(state, LAKE).ordered


def test_hints_of_another_lake_or_an_older_engine_are_none(state):
    Hints.learn(state, judged(), sketch(a=[b"k/1"], b=[], c=[]))
    assert Hints.load(state, "s3://other") == Hints()
    state.put("hints.json", b'{"lake": "s3://lake", "ordered": true, "boundaries": ["61"]}')
    assert Hints.load(state, LAKE) == Hints()
