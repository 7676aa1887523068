"""A shard is seen whole or says why not, however its ranges are cut on the way, and tells what it cost."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from declared import dataset, inventory
from s3_server import S3Server, use_credentials

from recon.adapters.s3 import S3Lister
from recon.adapters.s3.retry import Patience
from recon.core.shards import cover, shards
from recon.core.sketch import ShardSketch
from recon.model import KeyRange, Shard
from recon.pace import Pace
from recon.plan import Judgement, Options, Plan, PlannedRange, PlannedShard, judgement
from recon.scan import scan

QUICK = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.01, read_s=1.0)
NUMBERS = inventory(
    dataset("flat/{n}.json", name="a.numbered"), dimensions={"n": {"integers": "0..4999", "width": 5}}
)
WHOLE = Shard("whole", (KeyRange(b"flat/"),))


@pytest.fixture
def server(monkeypatch):
    use_credentials(monkeypatch)
    with S3Server([b"flat/%05d.json" % number for number in range(0, 5000, 2)]) as made:
        made.max_keys = 20
        yield made


def now() -> datetime:
    return datetime.now(UTC)


def lister_of(server: S3Server) -> S3Lister:
    return S3Lister("lake", endpoint_url=server.url, region="us-east-1", patience=QUICK)


def judged(*whole: Shard, ordered: bool = True, **options: object) -> Judgement:
    spans = [
        PlannedShard(shard.id, tuple(PlannedRange(r.prefix, r.start_after, r.end) for r in shard.ranges))
        for shard in whole
    ]
    chosen = replace(Options("s3://lake", connections=4), **options)
    return judgement(Plan("c", datetime.now(UTC), NUMBERS, chosen, tuple(spans), ordered=ordered), {})


def scanned(server: S3Server, shard: Shard = WHOLE, **options: object) -> ShardSketch:
    return scan(lister_of(server), judged(shard, **options), shard, now, Pace())


def present(sketch: ShardSketch) -> set[int]:
    return set(sketch.domains[0].present) if sketch.domains else set()


def test_a_long_range_is_cut_while_it_is_listed_and_every_key_is_seen_once(server):
    server.latency_s = 0.03
    sketch = scanned(server)
    assert sketch.complete
    assert sketch.facts.objects == 2500
    assert present(sketch) == set(range(0, 5000, 2))
    assert server.most_in_flight >= 8
    # One page holds 20 keys: 125 pages, and no more than one wasted request for each.
    assert 125 <= sketch.facts.requests <= 250
    assert sketch.facts.requests == server.requests["list"]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_names_and_ranges_the_sketch_is_the_brute_force_one(server, seed):
    rng = random.Random(seed)
    letters = rng.choice(["0123456789", "abcXYZ019", "é-_.~ /", "ab"])
    names = {"".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(1500)}
    server.objects = server.objects.of([f"flat/{name}".encode() for name in names])
    keys = server.objects.keys
    whole = shards(cover([b"flat/"]), rng.sample(keys, rng.randint(0, 4)), target=2, ranges_per_shard=2)
    seen = [scan(lister_of(server), judged(*whole), shard, now, Pace()) for shard in whole]
    assert all(sketch.complete for sketch in seen)
    assert sum(sketch.facts.objects for sketch in seen) == len(keys)
    declared = judged(*whole).domains[0].encode(pl.Series(keys).cast(pl.String))
    assert set().union(*(present(sketch) for sketch in seen)) == {n for n in declared.tolist() if n >= 0}


@pytest.mark.parametrize("fault", ["slow_down", "internal", "truncate"])
def test_a_range_that_is_cut_amid_faults_is_still_seen_whole(server, fault):
    server.inject(fault, p=0.2)
    patient = replace(QUICK, attempts=12)
    lister = S3Lister("lake", endpoint_url=server.url, region="us-east-1", patience=patient)
    sketch = scan(lister, judged(WHOLE), WHOLE, now, Pace())
    assert sketch.complete
    assert present(sketch) == set(range(0, 5000, 2))
    assert sketch.facts.requests == server.requests["list"] > 150


def test_an_unordered_lake_is_never_cut_and_never_late(server):
    server.inject("unordered")
    ticks = itertools.count()
    sketch = scan(
        lister_of(server),
        judged(WHOLE, ordered=False, shard_deadline_s=1.0),
        WHOLE,
        lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=next(ticks)),
        Pace(),
    )
    assert sketch.complete
    assert present(sketch) == set(range(0, 5000, 2))
    assert sketch.facts.requests == server.requests["list"] == 125


def test_a_failed_shard_tells_what_it_saw_and_every_request_it_spent(server):
    server.denied.append(b"flat/00100")
    server.latency_s = 0.05  # both have begun before one fails
    halves = (KeyRange(b"flat/", b"", b"flat/00099.json"), KeyRange(b"flat/00100"))
    sketch = scanned(server, Shard("halves", halves))
    assert "AccessDenied" in (sketch.facts.failure or "")
    assert sketch.facts.objects == 50
    assert sketch.facts.requests == server.requests["list"] == 4


def test_a_range_that_is_refused_hides_nothing_of_its_neighbours(server):
    server.denied.append(b"flat/00100")
    thirds = (
        KeyRange(b"flat/", b"", b"flat/00099.json"),
        KeyRange(b"flat/00100"),
        KeyRange(b"flat/", b"flat/00101.json"),
    )
    sketch = scanned(server, Shard("thirds", thirds))
    assert sketch.facts.seen == (0, 2)
    assert present(sketch) == set(range(0, 5000, 2)) - {100}


def test_a_server_that_lists_out_of_order_has_shown_no_range_whole(server):
    server.inject("unordered")
    sketch = scanned(server, Shard("halves", (KeyRange(b"flat/0"), KeyRange(b"none/"))))
    assert sketch.facts.out_of_order
    assert sketch.facts.seen == ()


def test_a_server_that_is_gone_is_not_asked_for_every_range(server):
    gone = Shard("many", tuple(KeyRange(b"flat/%02d" % number) for number in range(90)))
    server.inject("slow_down")
    sketch = scanned(server, gone)
    assert sketch.facts.seen == ()
    assert sketch.facts.requests <= 40 * QUICK.attempts  # what was under way, not 90 times


def test_the_tries_of_a_page_that_never_came_are_counted(server):
    server.inject("slow_down")
    sketch = scanned(server)
    assert not sketch.complete
    assert sketch.facts.requests == server.requests["list"] == QUICK.attempts


@pytest.mark.parametrize("fault", ["lie_count", "no_token", "repeat_token", "unordered", "broken_xml"])
def test_a_page_that_was_paid_for_and_thrown_away_is_counted(server, fault):
    server.inject(fault)
    sketch = scanned(server)
    assert not sketch.complete
    assert sketch.facts.requests == server.requests["list"]


def test_a_late_shard_fails_and_its_boundaries_reach_as_far_as_it_saw(server):
    ticks = itertools.count()
    sketch = scan(
        lister_of(server),
        replace_apart(judged(WHOLE, shard_deadline_s=5.0), 40),
        WHOLE,
        lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks)),
        Pace(),
    )
    assert "deadline" in (sketch.facts.failure or "")
    assert sketch.facts.objects == 120
    assert sketch.facts.boundaries == (b"flat/00078.json", b"flat/00158.json", b"flat/00238.json")


def replace_apart(made: Judgement, apart: int) -> Judgement:
    return replace(made, plan=replace(made.plan, apart=apart))
