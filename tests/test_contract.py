"""What others read and pop has the shape the contract prints, and says the truth, on disk and on S3."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from contract_place import (
    ABSENT,
    EXACT,
    INVENTORY,
    MISSING,
    ODD,
    SEEN,
    SHORT,
    SMALL,
    TEAMS,
    UNEXPECTED,
    VERDICTS,
    ContractPlace,
    opened,
)
from redis_servers import binary_of, running

from recon.adapters.ledger import RedisLedger
from recon.adapters.redis_client import RedisBroker

LEVELS = ("critical", "high", "medium", "low")
TASKS = ("published", "duplicate", "moved", "suppressed", "deferred", "unproven", "withdrawn", "held", "dead")
TASKS = (*TASKS, "outstanding")
#: `recon run --json` as the contract prints it; a type, or an object whose keys must all be there.
ROW = {
    **dict.fromkeys(("source", "data_type"), str),
    "partition": dict,
    "kind": str,
    **dict.fromkeys(("expected", "have", "ok", "stale", "small", "missing", "not_due"), int),
    **dict.fromkeys(("known_absent", "unknown"), int),
    "coverage": (float, type(None)),
    "threshold": float,
}
CYCLE = {
    **dict.fromkeys(("schema", "cycle_id", "started_at", "finished_at"), str),
    "duration_s": float,
    "dry_run": bool,
    "observed": {
        **dict.fromkeys(("source", "as_of"), str),
        **dict.fromkeys(("objects", "bytes", "requests"), int),
        "estimated_cost_usd": float,
        "shards": dict.fromkeys(("planned", "complete", "failed"), int),
    },
    "expected": {"exact_keys": int, "counted": int},
    "verdicts": dict.fromkeys(VERDICTS, int),
    "unexpected": int,
    "coverage": list,
    "gaps": {"total": int, "keys": int, "by_priority": dict.fromkeys(LEVELS, int)},
    "tasks": dict.fromkeys(TASKS, int),
    "timings_s": dict.fromkeys(("plan", "scan", "compare", "publish"), (int, float)),
    "warnings": list,
}
BODY = ["id", "v", "priority", "lake", "source", "data_type", "scraper", "reason", "partition", "pattern"]
BODY += ["keys", "items", "expect", "args", "first_seen_at"]


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9")) as server:
        yield server


@pytest.fixture(params=["disk", "s3"])
def place(request, valkey, tmp_path):
    with opened(request.param, tmp_path, valkey) as made:
        yield made


@dataclass(frozen=True)
class Seen:
    """What one cycle printed, wrote and queued."""

    place: ContractPlace
    report: dict[str, Any]
    lines: list[str]
    gaps_file: dict[str, Any]
    queued: list[tuple[str, bytes]]


@pytest.fixture(scope="module", params=["disk", "s3"])
def seen(request, valkey, tmp_path_factory):
    with opened(request.param, tmp_path_factory.mktemp(request.param), valkey) as made:
        report = made.run()
        lines = made.recon("gaps", "--keys").stdout.split("\n")
        gaps_file = json.loads((made.folder / "inventory/gaps.json").read_text())
        yield Seen(made, report, lines, gaps_file, made.queued())


def assert_shape(document, shape, path=""):
    if not isinstance(shape, dict):
        kinds = shape if isinstance(shape, tuple) else (shape,)
        assert type(document) in kinds, f"{path}: {document!r}"
        return
    assert isinstance(document, dict), path
    for name, inner in shape.items():
        assert name in document, f"{path}.{name} is not there"
        assert_shape(document[name], inner, f"{path}.{name}")


def test_a_run_prints_one_object_of_the_printed_shape_that_adds_up(seen):
    report = seen.report
    assert_shape(report, CYCLE)
    for row in report["coverage"]:
        assert_shape(row, ROW)
        assert all(type(value) is str for value in row["partition"].values())
    assert report["schema"] == "recon.cycle/1"
    assert all(report[name].endswith("Z") for name in ("started_at", "finished_at"))
    assert datetime.fromisoformat(report["started_at"]) <= datetime.fromisoformat(report["finished_at"])
    assert report["expected"] == {"exact_keys": len(EXACT), "counted": 6}
    assert report["verdicts"] == VERDICTS
    assert sum(VERDICTS.values()) == len(EXACT)
    observed = report["observed"]
    assert (observed["objects"], observed["bytes"]) == (len(SEEN), sum(SEEN.values()))
    assert report["unexpected"] == UNEXPECTED
    assert observed["shards"]["planned"] == observed["shards"]["complete"] > observed["shards"]["failed"] == 0
    assert (observed["requests"] > 0) is (observed["estimated_cost_usd"] > 0) is bool(seen.place.server)
    assert report["gaps"]["keys"] == len(MISSING | SMALL)
    assert sum(report["gaps"]["by_priority"].values()) == report["gaps"]["total"]


def test_every_gap_is_queued_once(seen):
    keys = [key for _, raw in seen.queued for key in json.loads(raw)["keys"]]
    assert sorted(keys) == sorted(MISSING | SMALL)


def test_coverage_is_a_share_where_it_is_known_and_null_elsewhere(place):
    rows = {
        (row["data_type"], *row["partition"].values()): row
        for row in place.run("--select", "source:nba")["coverage"]
    }
    assert rows["stats", "2021-22"]["coverage"] == pytest.approx(1 / 3)
    assert rows["stats", "2022-23"] | {"coverage": 0} == rows["stats", "2022-23"] | {
        "coverage": 0,
        "kind": "exact",
        "expected": 3,
        "have": 1,
        "ok": 1,
        "small": 1,
        "missing": 1,
    }
    assert rows["parts", "2021-22"]["coverage"] == pytest.approx(1 / 3)
    assert rows["parts", "2022-23"]["coverage"] == 1
    assert rows["notes", "ATL"]["kind"] == "any"
    assert rows["notes", "ATL"]["have"] == 1
    assert {rows["notes", team]["coverage"] for team in ("ATL", "NO", "0012")} == {None}
    assert rows["names",]["unknown"] == len(ODD) - rows["names",]["ok"]
    assert rows["names",]["coverage"] is None


def test_gaps_come_as_lines_of_reason_priority_and_key_in_key_order(seen):
    *lines, end = seen.lines
    assert end == ""
    exact, counted = {}, {}
    for line in lines:
        reason, level, key = line.split("\t")
        assert level in LEVELS
        assert not counted or reason == "incomplete"
        found = counted if reason == "incomplete" else exact
        found[json.loads(key) if key.startswith('"') else key] = reason
    assert exact == {**dict.fromkeys(MISSING, "missing"), **dict.fromkeys(SMALL, "small")}
    assert list(exact) == sorted(exact, key=str.encode)
    assert set(counted) == SHORT
    quoted = [line.split("\t")[2] for line in lines if line.split("\t")[2].startswith('"')]
    wanted = [key for key in MISSING if any(ord(letter) < 32 for letter in key)]
    assert [json.loads(text) for text in quoted] == sorted(wanted) != []


def test_gaps_can_be_narrowed_by_reason_priority_and_selection(seen):
    place = seen.place
    small = place.recon("gaps", "--keys", "--reason", "small").stdout
    assert [line.split("\t")[2] for line in small.splitlines()] == sorted(SMALL)
    every = place.recon("gaps", "--keys", "--json").stdout
    levels = {entry["priority"] for entry in json.loads(every)}
    parts = [place.recon("gaps", "--keys", "--json", "--priority", level).stdout for level in levels]
    assert sum(len(json.loads(part)) for part in parts) == len(json.loads(every))
    chosen = place.recon("gaps", "--keys", "--select", "type:parts+season:2021-22").stdout
    assert chosen.splitlines() == [line for line in chosen.splitlines() if "nba.parts season=2021-22" in line]
    assert chosen


def test_the_gaps_file_has_the_owners_shape_and_counts_what_is_queued(seen):
    document = seen.gaps_file
    bodies = {json.loads(body)["id"]: json.loads(body) for _, body in seen.queued}
    tasks = document["tasks"]
    assert {task["id"] for task in tasks} == set(bodies)
    assert document["total_tasks"] == len(tasks)
    assert list(document["by_priority"]) == list(LEVELS)
    for total in (document["by_priority"], document["by_source"], document["by_scraper"]):
        assert sum(total.values()) == len(tasks)
    assert document["estimated_total_minutes"] == sum(task["estimated_time_minutes"] for task in tasks)
    assert datetime.fromisoformat(document["generated_at"]).tzinfo
    for task in tasks:
        body = bodies[task["id"]]
        assert task["priority"] == body["priority"].upper()
        assert task["gap_type"] == body["reason"]
        assert task["season"] == body["partition"].get("season")
        for name in ("source", "data_type", "scraper", "keys", "items"):
            assert task[name] == body[name]
        assert task["missing_files"] >= 1
        assert task["estimated_time_minutes"] >= 1
        assert isinstance(task["reason"], str)
        assert task["status"] == "pending"


def test_a_task_body_is_ascii_json_with_its_id_first_and_says_what_is_wanted(seen):
    for level, raw in seen.queued:
        body = json.loads(raw)
        assert raw.isascii()
        assert re.match(rb'\{"id":"[0-9a-f]{32}",', raw)
        assert len(raw) <= 65_536
        assert list(body)[: len(BODY)] == BODY
        assert (body["v"], body["priority"], body["lake"]) == (1, level, seen.place.lake)
        assert body["scraper"] == {"nba": "nba_scraper", "odd": "odd"}[body["source"]]
        patterns = INVENTORY["expected_coverage"][body["source"]]["data_types"][body["data_type"]]
        assert body["pattern"] in patterns["path_patterns"]
        assert len(body["keys"]) == len(body["items"]) <= (4 if body["source"] == "nba" else 50)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["first_seen_at"])
        assert body["args"] == []
        if not body["keys"]:
            assert body["reason"] == "incomplete"
            assert set(body["expect"]) == {"have", "expected"}
    by_type = {json.loads(raw)["data_type"]: json.loads(raw) for _, raw in seen.queued}
    assert by_type["stats"]["expect"]["min_size_bytes"] == 3
    assert by_type["stats"]["expect"]["fresh_after"].endswith("Z")
    assert by_type["stats"]["items"][0].keys() == {"season", "team"}
    (name, *_) = by_type["names"]["items"]
    assert by_type["names"]["keys"][0] == "odd/" + name["name"]
    for key, item in zip(by_type["hours"]["keys"], by_type["hours"]["items"], strict=True):
        at = datetime.fromisoformat(item["hour"])
        assert item["hour"].endswith("Z")
        assert key == f"hours/{at:%Y-%m-%d}-{at.hour}.gz"


def test_bodies_are_the_same_bytes_when_redis_forgot_them_and_ids_outlive_the_state_too(place):
    place.run()
    before = place.queued()
    place.redis.client.flushall()
    place.run()
    assert place.queued() == before
    place.redis.client.flushall()
    place.configure(state="another")
    place.run()
    assert [raw[:40] for _, raw in place.queued()] == [raw[:40] for _, raw in before]


def test_a_second_run_publishes_nothing_and_a_deleted_object_exactly_its_key(place):
    first = place.run()
    second = place.run()
    assert second["tasks"]["published"] == 0
    assert second["tasks"]["duplicate"] == first["tasks"]["outstanding"]
    place.delete("stats/2022-23/NO.json")
    place.run()
    assert place.queued_keys() == MISSING | SMALL | {"stats/2022-23/NO.json"}


def test_a_plain_blpop_loop_gets_every_task_most_urgent_first(place):
    report = place.run()
    lists = [f"recon:queue:{level}" for level in LEVELS]
    popped = []
    while (found := place.redis.client.blpop(lists, 0.1)) is not None:
        popped.append(json.loads(found[1]))
    assert len(popped) == report["tasks"]["outstanding"]
    assert [LEVELS.index(body["priority"]) for body in popped] == sorted(
        LEVELS.index(body["priority"]) for body in popped
    )
    assert place.run()["tasks"]["published"] == 0


def test_a_dry_run_is_told_apart_and_queues_nothing(place):
    assert place.run("--dry-run")["dry_run"] is True
    assert place.redis.client.keys("recon:q*") == []
    assert not (place.folder / "inventory/gaps.json").exists()
    assert place.recon("gaps", "--keys").stdout


def test_exit_codes_say_what_happened_the_graver_first(place):
    assert place.recon("run", "--inline").returncode == 0
    assert place.recon("run", "--inline", "--fail-on", "critical").returncode == 0
    assert place.recon("run", "--inline", "--fail-on", "low").returncode == 3
    assert place.recon("run", "--fail-on", "sometimes").returncode == 2
    assert place.recon("run", "--select", "nonsense").returncode == 2
    broker = RedisBroker.connect(place.redis.url)
    ledger = RedisLedger(broker)
    ledger.acquire("another")
    assert place.recon("run", "--inline", "--fail-on", "low").returncode == 5
    ledger.release("another")
    broker.close()
    if place.server:
        place.server.denied.append(b"root/lake/odd/")
        assert place.recon("run", "--inline", "--fail-on", "low").returncode == 4
        assert place.recon("run", "--inline", "--select", "source:nba").returncode == 0


def test_what_lies_outside_the_prefixes_is_unknown_and_no_failure(place):
    everything = place.run()
    place.configure(s3={"prefixes": ["stats/2021", "hours"]})
    report = place.run()
    assert report["verdicts"]["unknown"] == len(TEAMS) + len(ODD)
    assert report["verdicts"]["known_absent"] == len(ABSENT)
    assert report["tasks"]["withdrawn"] == report["tasks"]["published"] == 0
    assert report["tasks"]["outstanding"] == everything["tasks"]["outstanding"]
    assert place.queued_keys() == MISSING | SMALL


@pytest.mark.parametrize(("mode", "queued", "written"), [("redis", True, False), ("file", False, True)])
def test_tasks_go_where_the_mode_says(place, mode, queued, written):
    place.configure(task_queue={"mode": mode})
    report = place.run()
    file = place.folder / "inventory/gaps.json"
    assert bool(place.queued()) is queued
    assert file.exists() is written
    if written:
        keys = {key for task in json.loads(file.read_text())["tasks"] for key in task["keys"]}
        assert keys == MISSING | SMALL
    assert report["tasks"]["outstanding"] > 0
    assert place.run()["tasks"]["published"] == 0
