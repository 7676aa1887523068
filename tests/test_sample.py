"""A sampled cycle tells what the whole lake is likely to hold, how sure that is, and what certainty costs."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from declared import dataset, inventory
from s3_server import Objects, S3Server, use_credentials

from recon.adapters.s3 import S3Lister
from recon.comparison import Comparison, compared
from recon.core.inventory import Waiver
from recon.core.sketch import Sketch
from recon.memory import Hints, Memory
from recon.pace import Pace
from recon.plan import Options, Plan, judgement
from recon.scan import scan
from recon.sharding import sharding
from recon.sight import Sight

KEYS, PAGE = 8000, 50
DECLARED = inventory(
    dataset("box/{n}.json", name="nba.box"),
    dataset("few/{m}.json", name="nba.few"),
    dataset("many/{part}.bin", name="nba.many", expected_count=600),
    dimensions={"n": {"integers": f"0..{KEYS - 1}", "width": 5}, "m": {"integers": "0..99", "width": 2}},
)


@pytest.fixture
def server(monkeypatch):
    use_credentials(monkeypatch)
    with S3Server([]) as made:
        made.max_keys = PAGE
        yield made


def now() -> datetime:
    return datetime.now(UTC)


def fill(server: S3Server, rng: random.Random) -> list[bytes]:
    """Give the lake gaps that come in runs and alone; return the keys it holds."""
    gone = {n for n in range(KEYS) if rng.random() < 0.01}
    for start in rng.sample(range(KEYS), 60):
        gone.update(range(start, start + rng.randint(1, 30)))
    keys = [b"box/%05d.json" % n for n in range(KEYS) if n not in gone]
    keys += [b"few/%02d.json" % m for m in range(100) if m % 10]
    keys += [b"many/%04d.bin" % n for n in range(rng.randint(400, 600))]
    server.objects = Objects.of(keys)
    return keys


def sampled(server: S3Server, name: str, rate: float | None, declared=DECLARED, **options) -> Comparison:
    lister = S3Lister("lake", endpoint_url=server.url, region="us-east-1")
    chosen = Options("s3://lake", sample_rate=rate, **options)
    judged = judgement(Plan(name, datetime.now(UTC), declared, chosen, (), apart=PAGE), {})
    # The hints are those of the lake as it was: every fiftieth key of all that ever were.
    ever = [b"box/%05d.json" % n for n in range(KEYS)] + [b"few/%02d.json" % m for m in range(100)]
    ever += [b"many/%04d.bin" % n for n in range(500)]
    hints = Hints(tuple(ever[PAGE - 1 :: PAGE]), apart=PAGE)
    shards = sharding(lister, judged, hints).shards
    judged = replace(judged, plan=replace(judged.plan, shards=shards))
    results = {shard.id: scan(lister, judged, shard, now, Pace()) for shard in judged.scanned}
    return compared(judged, Sight(judged, Sketch(results)), Memory())


def test_the_intervals_hold_the_truth_in_nearly_all_of_many_lakes_and_samples(server):
    rng, held, lakes = random.Random(3), dict.fromkeys(("objects", "have", "missing", "many"), 0), 30
    for lake in range(lakes):
        keys = fill(server, rng)
        found = sampled(server, f"cycle-{lake}", 0.12).estimate
        have = sum(not key.startswith(b"many/") for key in keys)
        truth = {"objects": len(keys), "have": have, "missing": KEYS + 100 - have, "many": len(keys) - have}
        told = {"objects": found.objects, "have": found.have, "missing": found.missing}
        told["many"] = next(item.have for item in found.types if item.data_type == "many")
        for name, estimate in told.items():
            # A type that lies in one or two shards has no interval; that is no claim, so no false one.
            claims = estimate is not None and estimate.low is not None
            held[name] += not claims or estimate.low <= truth[name] <= estimate.high
    assert min(held.values()) >= 0.85 * lakes, held


def test_the_report_says_how_much_was_looked_at_and_what_all_of_it_costs(server):
    keys = fill(server, random.Random(1))
    found = sampled(server, "cycle", 0.1, list_usd=0.01)
    document = found.estimate.document()
    assert document["confidence"] == 0.95
    shards = document["shards"]
    assert (shards["in_scope"], shards["sampled"]) == (174, 17)
    full = document["full_listing"]
    assert full["requests"] == -(-document["objects"]["value"] // 1000) + 3
    assert full["usd"] == pytest.approx(0.01 * full["requests"])
    (line,) = [line for line in found.warnings if line.startswith("sampled: ")]
    assert "157 of 174 shards were not listed" in line
    assert f"about {full['requests']} requests ({full['usd']:.4f} USD)" in line
    assert "sample_rate" in line
    assert document["objects"]["low"] <= len(keys) <= document["objects"]["high"]


def test_one_sampled_shard_gives_estimates_and_says_that_it_has_no_interval(server):
    fill(server, random.Random(1))
    found = sampled(server, "cycle", 0.001)
    objects = found.estimate.document()["objects"]
    assert objects["value"] > 0
    assert objects["low"] is objects["high"] is None
    assert any("no interval" in line for line in found.warnings)


def test_a_type_whose_shards_were_all_seen_is_known_without_error(server):
    fill(server, random.Random(1))
    for number in range(60):
        types = sampled(server, f"cycle-{number}", 0.6).estimate.document()["data_types"]
        few = next(item for item in types if item["data_type"] == "few")
        if few["shards"] == {"in_scope": 2, "sampled": 2}:
            assert few["missing"] == {"value": 10, "low": 10, "high": 10}
            assert few["have"] == {"value": 90, "low": 90, "high": 90}
            return
        assert few["shards"]["sampled"] < few["shards"]["in_scope"] == 2
        assert few["shards"]["sampled"] or few["have"] is few["missing"] is None
    pytest.fail("no sample held every shard of nba.few")


def test_keys_that_are_not_due_or_waived_are_not_estimated_to_be_missing(server):
    day = inventory(
        dataset("box/{d}.json", name="nba.box"),
        dimensions={"d": {"every": "day", "start": "2020-01-01", "end": "2030-12-31"}},
    )
    holiday = Waiver("", "holiday", source="nba", data_type="box", fields=(("d", "2020-01-01"),))
    waived = replace(day, waivers=(holiday,))
    server.objects = Objects.of([b"box/2020-01-02.json"])
    due = (datetime.now(UTC) - datetime(2020, 1, 2, tzinfo=UTC)).days
    found = sampled(server, "cycle", 0.5, waived).estimate
    assert found.expected == due
    assert found.missing.high <= due


def test_a_full_cycle_estimates_nothing(server):
    fill(server, random.Random(1))
    found = sampled(server, "cycle", None)
    assert found.estimate is None
    assert not any("sample" in line for line in found.warnings)


def test_a_rate_that_left_nothing_out_says_so(server):
    lister = S3Lister("lake", endpoint_url=server.url, region="us-east-1")
    only = inventory(dataset("flat/{n}", name="a.b"))
    judged = judgement(Plan("c", datetime.now(UTC), only, Options("s3://lake", sample_rate=0.1), ()), {})
    judged = replace(judged, plan=replace(judged.plan, shards=sharding(lister, judged, Hints()).shards))
    results = {shard.id: scan(lister, judged, shard, now, Pace()) for shard in judged.scanned}
    found = compared(judged, Sight(judged, Sketch(results)), Memory())
    assert found.estimate is None
    assert any("all of it was listed" in line for line in found.warnings)
