"""The whole cycle over the S3 protocol and a real Valkey: right when all is well, honest when it is not."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cycle_place import (
    BOX,
    DECLARED,
    GONE,
    LAKE,
    OBJECTS,
    ODDS,
    VISIBILITY_S,
    lake_place,
)
from s3_server import Objects

from recon import cycle
from recon.adapters.output_files import OutputFiles
from recon.adapters.s3 import S3Lister
from recon.adapters.s3.retry import Patience
from recon.adapters.state_queue import StateTaskQueue
from recon.errors import CycleFencedError


@pytest.fixture
def place(valkey, monkeypatch):
    with lake_place(valkey, monkeypatch) as made:
        yield made


def test_exactly_the_absent_keys_are_queued_and_a_second_cycle_queues_nothing(place):
    first = place.cycle()
    assert place.queued() == GONE
    assert first["verdicts"]["missing"] == len(GONE)
    assert first["verdicts"]["unknown"] == 0
    assert first["unexpected"] == 3
    assert first["observed"]["objects"] == len(OBJECTS) - len(GONE)
    second = place.cycle()
    assert second["tasks"]["published"] == second["tasks"]["withdrawn"] == 0
    assert second["verdicts"] == first["verdicts"]


def test_shards_that_report_twice_and_out_of_order_change_nothing(place):
    once = place.cycle(dry_run=True)
    again = place.cycle(dry_run=True, scans=3)
    assert (again["verdicts"], again["coverage"]) == (once["verdicts"], once["coverage"])


def test_new_gaps_are_added_and_filled_ones_withdrawn(place):
    place.cycle()
    place.server.objects.put(BOX[0].encode(), b"x" * 10)
    place.server.objects.delete(BOX[1].encode())
    place.cycle()
    assert place.queued() == (GONE - {BOX[0]}) | {BOX[1]}


@pytest.mark.parametrize(
    "fault",
    [
        "slow_down",
        "truncate",
        "short",
        "reset",
        "error_200",
        "denied_200",
        "html_200",
        "broken_xml",
        "lie_count",
        "lose_entry",
        "repeat_token",
        "no_token",
        "expired",
        "doctype",
    ],
)
def test_a_lake_that_answers_wrongly_makes_keys_unknown_never_missing(place, fault):
    place.cycle()
    before = place.queued()
    place.server.inject(fault)
    report = place.cycle()
    # A range that fits one page needs no token, and is seen rightly even then.
    assert report["verdicts"]["missing"] == 0 or fault == "repeat_token"
    assert report["tasks"]["published"] == report["tasks"]["withdrawn"] == 0
    assert report["observed"]["shards"]["failed"] > 0
    assert place.queued() == before
    place.server.heal()
    healed = place.cycle()
    assert healed["verdicts"]["missing"] == len(GONE)
    assert place.queued() == GONE


def test_a_denied_prefix_hides_its_own_keys_only(place):
    place.server.denied.append(b"odds/")
    report = place.cycle()
    assert place.queued() == {key for key in GONE if key.startswith("box/")}
    assert report["verdicts"]["unknown"] == len(ODDS)
    assert any("odds/" in line for line in report["warnings"])


def test_storms_of_503_are_waited_out(place):
    # As many tries as the default; at 0.3 each, one request in 15,000 has no answer.
    patience = Patience(attempts=8, first_wait_s=0.001, longest_wait_s=0.01, read_s=1.0)
    lister = S3Lister("lake", endpoint_url=place.server.url, region="us-east-1", patience=patience)
    place.ports = replace(place.ports, lister=lister)
    place.server.inject("slow_down", p=0.3)
    report = place.cycle()
    assert report["verdicts"]["missing"] == len(GONE)
    assert place.queued() == GONE


@pytest.mark.parametrize("fault", ["unordered", "ignore_start_after", "folder_order"])
def test_a_backend_that_shows_its_disorder_at_once_is_seen_rightly_from_the_first_cycle(place, fault):
    place.server.inject(fault)
    first = place.cycle()
    assert first["verdicts"]["missing"] == len(GONE)
    assert place.queued() == GONE
    assert any("whole prefixes" in line for line in first["warnings"])


@pytest.mark.parametrize("fault", ["", "slow_down", "expired", "no_token"])
def test_every_request_is_counted_whatever_came_of_it(place, fault):
    for _ in range(2):
        spent = place.server.requests["list"]
        report = place.cycle(dry_run=True)
        assert report["observed"]["requests"] == place.server.requests["list"] - spent
        if fault:
            place.server.inject(fault, p=0.3)


def test_a_flat_prefix_too_long_for_its_deadline_is_seen_whole_within_a_few_cycles(place):
    place.server.objects = Objects.of(b"odds/%06d.csv" % number for number in range(150_000))
    place.server.max_keys = 1000
    # Every look at the clock takes a second: a shard has time for 60 pages of the 150.
    seconds, begun = itertools.count(), datetime.now(UTC)
    place.ports = replace(place.ports, clock=lambda: begun + timedelta(seconds=next(seconds)))
    reports = [place.cycle(dry_run=True, shard_deadline_s=60.0) for _ in range(5)]
    failed = [report["observed"]["shards"]["failed"] for report in reports]
    assert failed[0] == 1
    unseen = next(row for row in reports[0]["coverage"] if row["data_type"] == "lines")
    assert unseen["missing"] == 0
    assert failed[-1] == 0
    assert reports[-1]["observed"]["objects"] == 150_000
    assert reports[-1]["observed"]["requests"] < 1.2 * 150 + 10


def test_a_backend_that_lists_out_of_order_is_listed_by_whole_prefixes_from_then_on(place):
    place.cycle(dry_run=True)
    place.server.inject("unordered")
    first = place.cycle()
    assert first["verdicts"]["missing"] == 0
    second = place.cycle()
    assert second["verdicts"]["missing"] == len(GONE)
    assert place.queued() == GONE


def test_a_sample_leaves_the_rest_unknown_and_says_so(place):
    # This lake is small: look for a place to cut every 20 keys.
    place.ports.state.put(
        "hints.json", json.dumps({"lake": LAKE, "ordered": True, "apart": 20, "boundaries": []}).encode()
    )
    place.cycle(dry_run=True)
    report = place.cycle(sample_rate=0.3)
    assert report["observed"]["source"] == "sample"
    shards = report["observed"]["estimate"]["shards"]
    assert 2 <= shards["sampled"] == report["observed"]["shards"]["planned"] < shards["in_scope"]
    assert any(line.startswith("sampled: ") and "A full listing takes" in line for line in report["warnings"])
    assert report["verdicts"]["unknown"] > 0
    assert sum(report["verdicts"].values()) == len(BOX) + len(ODDS)
    assert place.queued() <= GONE


def test_a_popped_task_that_nothing_fills_comes_back_once(place, valkey):
    place.cycle()
    _, body = valkey.client.blpop(
        [f"recon:queue:{level}" for level in ("critical", "high", "medium", "low")], 2
    )
    popped = set(json.loads(body)["keys"])
    place.cycle()
    assert lists(valkey) == GONE - popped
    time.sleep(VISIBILITY_S * 1.5)
    place.cycle()
    assert lists(valkey) == GONE


def in_gaps_file(place) -> set[str]:
    document = json.loads(place.outputs.get("gaps.json"))
    keys = [key for task in document["tasks"] for key in task["keys"]]
    assert len(keys) == len(set(keys))
    assert document["total_tasks"] == len(document["tasks"])
    return set(keys)


def test_tasks_for_a_file_alone_are_kept_there_and_not_lost_by_a_failed_look(place, valkey):
    place.ports = replace(place.ports, queue=StateTaskQueue(place.ports.state, lake=LAKE))
    first = place.cycle(gaps_file="gaps.json")
    assert in_gaps_file(place) == GONE
    assert first["tasks"]["published"] == first["tasks"]["outstanding"]
    place.server.denied.append(b"odds/")
    second = place.cycle(gaps_file="gaps.json")
    assert (second["tasks"]["published"], second["tasks"]["withdrawn"]) == (0, 0)
    assert in_gaps_file(place) == GONE
    place.server.heal()
    place.server.objects.put(ODDS[0].encode(), b"x")
    place.cycle(gaps_file="gaps.json")
    assert in_gaps_file(place) == GONE - {ODDS[0]}
    assert not valkey.client.keys("recon:q*")


def test_everything_else_is_written_when_the_report_is(place):
    place.cycle(gaps_file="gaps.json")
    state, outputs = place.ports.state, place.outputs
    put, seen = state.put, {}

    def watched(name: str, content: bytes) -> None:
        if name.endswith("/report.json"):
            seen.update(memory=state.get("memory.json"), gaps=outputs.get("gaps.json"))
        put(name, content)

    state.put = watched
    place.server.objects.delete(BOX[1].encode())
    place.cycle(gaps_file="gaps.json")
    assert seen == {"memory": state.get("memory.json"), "gaps": outputs.get("gaps.json")}
    assert BOX[1] in in_gaps_file(place)


def test_an_output_file_that_cannot_be_written_is_a_warning_and_the_cycle_counts(place, tmp_path):
    (tmp_path / "inventory").write_text("a file where a folder should be")
    place.ports = replace(place.ports, outputs=OutputFiles(tmp_path))
    report = place.cycle(gaps_file="inventory/gaps.json")
    assert any("cannot write" in line for line in report["warnings"])
    assert place.queued() == GONE
    assert json.loads(place.ports.state.get("latest.json"))["cycle_id"] == report["cycle_id"]


def test_a_dry_run_leaves_the_queues_without_a_trace(place, valkey):
    report = place.cycle(dry_run=True)
    assert report["dry_run"] is True
    assert report["tasks"]["published"] > 0
    assert not valkey.client.keys("recon:q*")
    assert place.ports.state.get("memory.json") is None


def test_a_dry_run_that_is_not_to_be_kept_does_not_become_the_latest_cycle(place):
    place.cycle()
    latest = place.ports.state.get("latest.json")
    assert place.cycle(dry_run=True, dry_run_kept=False)["verdicts"]["missing"] == len(GONE)
    assert place.ports.state.get("latest.json") == latest


def test_a_dry_run_that_plans_no_tasks_says_none(place):
    assert place.cycle(dry_run=True, dry_run_plans_tasks=False)["tasks"]["published"] == 0


def test_a_type_that_was_not_looked_at_whole_is_not_called_unmatched(place):
    place.server.denied.append(b"odds/")
    denied = place.cycle()
    assert not any("matched 0" in line for line in denied["warnings"])
    place.server.heal()
    for key in ODDS:
        place.server.objects.delete(key.encode())
    assert any("odds.lines: pattern matched 0 of 30" in line for line in place.cycle()["warnings"])


def test_a_selection_that_keeps_nothing_says_so(place):
    report = place.cycle(select=((("source", "nobody"),),))
    assert report["verdicts"]["unknown"] == len(BOX) + len(ODDS)
    assert any("--select keeps no expected key" in line for line in report["warnings"])


def lists(valkey) -> set[str]:
    keys = []
    for level in ("critical", "high", "medium", "low"):
        for body in valkey.client.lrange(f"recon:queue:{level}", 0, -1):
            keys.extend(json.loads(body)["keys"])
    assert len(keys) == len(set(keys))
    return set(keys)


def test_a_cycle_that_lost_its_lock_can_no_longer_publish(place):
    old = place.ledger.acquire("old")
    judged = cycle.plan(place.ports, "old", DECLARED, {}, place.options)
    for shard in judged.scanned:
        cycle.scan_shard(place.ports, judged, shard)
    place.ledger.release("old")
    place.cycle(dry_run=True)
    with pytest.raises(CycleFencedError):
        cycle.conclude(place.ports, judged, old, {})
    assert place.queued() == set()


def test_a_queue_that_lost_everything_is_filled_again(place, valkey):
    place.cycle()
    valkey.client.flushall()
    place.cycle()
    assert place.queued() == GONE


def test_earlier_cycles_leave_their_reports_and_nothing_else(place):
    reports = [place.cycle(), place.cycle()]
    names = place.ports.state.names("cycles/")
    older, newer = (report["cycle_id"] for report in reports)
    assert [name for name in names if older in name] == [f"cycles/{older}/report.json"]
    assert f"cycles/{newer}/plan.json" in names
