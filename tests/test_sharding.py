"""Where the key space is cut: by hints, else by folders, and not at all where order cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from declared import dataset, inventory
from s3_server import Objects, S3Server, synthetic_keys, use_credentials

from recon.adapters.s3 import S3Lister
from recon.adapters.s3.retry import Patience
from recon.errors import LakeUnreachableError
from recon.memory import Hints
from recon.model import KeyRange
from recon.plan import Judgement, Options, Plan, judgement
from recon.sharding import Sharding, sharding

QUICK = Patience(attempts=2, first_wait_s=0.001, longest_wait_s=0.01, read_s=1.0)
EVENTS = inventory(dataset("events/{source}/{part}.parquet", name="a.events"))
FLAT = inventory(dataset("events/{part}.parquet", name="a.events"), dataset("other/{n}", name="a.other"))


@pytest.fixture
def server(monkeypatch):
    use_credentials(monkeypatch)
    with S3Server(synthetic_keys(3000, 60)) as made:
        yield made


def judged(declared=EVENTS, cycle_id="c", **options: object) -> Judgement:
    chosen = replace(Options("s3://lake"), **options)
    return judgement(Plan(cycle_id, datetime.now(UTC), declared, chosen, ()), {})


def cut(server: S3Server, made: Judgement, hints: Hints | None = None) -> Sharding:
    lister = S3Lister("lake", endpoint_url=server.url, region="us-east-1", patience=QUICK)
    return sharding(lister, made, hints or Hints())


def spans(found: Sharding) -> list[KeyRange]:
    return [KeyRange(r.prefix, r.start_after, r.end) for shard in found.shards for r in shard.ranges]


def test_a_cold_start_cuts_at_folders_and_counts_what_it_asked(server):
    found = cut(server, judged())
    assert len(spans(found)) == 61
    assert found.ordered
    assert found.requests == server.requests["list"] > 1


def test_a_cold_start_on_a_flat_prefix_does_not_list_it_to_plan_it(server):
    server.objects = Objects.of(b"events/%06d.parquet" % number for number in range(30_000))
    found = cut(server, judged(FLAT))
    assert spans(found) == [KeyRange(b"events/"), KeyRange(b"other/")]
    assert found.requests == server.requests["list"] < 25


def test_hints_are_cut_at_without_asking_anything(server):
    hints = Hints(tuple(server.objects.keys[99:-1:100]))
    found = cut(server, judged(), hints)
    assert len(spans(found)) == 30
    assert found.requests == 0
    assert not server.requests


@pytest.mark.parametrize("fault", ["unordered", "ignore_start_after", "folder_order"])
def test_a_server_that_is_found_out_is_listed_by_whole_prefixes_and_that_is_said(server, fault):
    server.inject(fault)
    found = cut(server, judged(FLAT))
    assert not found.ordered
    assert spans(found) == [KeyRange(b"events/"), KeyRange(b"other/")]
    assert "whole prefixes" in found.notices[0].message


def test_a_server_once_found_out_is_not_asked_again(server):
    found = cut(server, judged(), Hints((b"events/source=003/",), ordered=False))
    assert not found.ordered
    assert spans(found) == [KeyRange(b"events/")]
    assert not server.requests


def test_a_root_that_may_not_be_listed_leaves_the_question_to_the_prefixes(server):
    server.denied.append(b"")
    found = cut(server, judged())
    assert found.ordered
    assert found.requests == server.requests["list"]


def test_a_server_that_is_not_there_ends_the_plan(server):
    server.inject("no_bucket")
    with pytest.raises(LakeUnreachableError):
        cut(server, judged())


def test_a_sample_is_drawn_from_shards_as_small_as_the_hints_allow(server):
    hints = Hints(tuple(server.objects.keys[9:-1:10]))
    whole = cut(server, judged(), hints)
    found = cut(server, judged(sample_rate=0.1), hints)
    assert len(whole.shards) < 50
    assert len(found.shards) == 300
    assert sum(shard.scan for shard in found.shards) == 30


def test_a_sample_has_no_more_shards_to_list_than_a_full_cycle_may_have(server):
    hints = Hints(tuple(server.objects.keys[:-1]))
    found = cut(server, judged(sample_rate=0.5, shards=40), hints)
    assert len(found.shards) == 80
    assert sum(shard.scan for shard in found.shards) == 40


def test_every_cycle_draws_another_sample(server):
    hints = Hints(tuple(server.objects.keys[9:-1:10]))
    drawn = [
        frozenset(
            shard.id
            for shard in cut(server, judged(cycle_id=f"c{n}", sample_rate=0.1), hints).shards
            if shard.scan
        )
        for n in range(5)
    ]
    assert len(set(drawn)) == 5


def test_weights_follow_what_the_hints_tell_of_each_shard(server):
    hints = Hints(tuple(server.objects.keys[9:-1:10]))
    found = cut(server, judged(sample_rate=0.5, shards=10), hints)
    assert len(found.shards) == 20
    assert sum(shard.weight for shard in found.shards) == 2 * 299 + 1
    assert max(shard.weight for shard in found.shards) <= 1.2 * min(shard.weight for shard in found.shards)
