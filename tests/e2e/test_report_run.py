"""A lake that AWS reports on, watched by real workers: honest about its age, and right whatever breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from aws_reports import rows, write_report
from aws_server import aws
from engine_place import EnginePlace
from process_table import children
from report_engine import BOX, DAYS, GONE, HELD, PLAYERS, STRAY, YOUNG, ReportEngine, midnight, opened
from s3_server import use_credentials

KINDS = ("folder", "s3")


@pytest.fixture
def engine(request, monkeypatch, tmp_path):
    use_credentials(monkeypatch)
    with opened(request.param, tmp_path) as made:
        yield made


def on(*kinds: str):
    return pytest.mark.parametrize("engine", kinds, indirect=True)


def is_truth(engine, report: dict) -> None:
    """Check that a cycle ended in what the lake holds, and that its tasks ask for just that."""
    assert set(engine.place.gap_keys()) == GONE
    assert report["verdicts"] == {
        **dict.fromkeys(report["verdicts"], 0),
        "ok": len(BOX) + len(DAYS) - len(GONE),
        "missing": len(GONE),
        "not_due": 1,
    }
    assert report["unexpected"] == 1  # nothing of recon's own, nothing of AWS's: the one stray
    queued = json.loads((engine.folder / "inventory/gaps.json").read_text())["tasks"]
    assert {key for task in queued for key in task["keys"]} == GONE
    tasks = report["tasks"]
    # An attempt that was refused has published nothing: nothing was there, and nothing is taken back.
    assert tasks["published"] == tasks["outstanding"] == len(queued)
    assert tasks["withdrawn"] == tasks["duplicate"] == 0


# ---- a good report


@on(*KINDS)
def test_a_report_gives_the_truth_and_says_how_old_it_is(engine):
    at = midnight(hours_before=2)
    delivered = engine.report(at)
    report = engine.place.run()
    observed = report["observed"]
    assert observed["source"] == "aws_inventory"
    assert observed["as_of"] == f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
    assert observed["report"] == delivered.manifest
    assert observed["shards"] == {"planned": 3, "complete": 3, "failed": 0}
    assert observed["looked_again"] == len(GONE) + 1
    assert report["warnings"] == []
    is_truth(engine, report)


@on("s3")
def test_requests_are_told_by_kind_and_priced_as_the_server_counts_them(engine):
    engine.report(midnight(hours_before=2))
    engine.server.requests.clear()
    observed = engine.place.run()["observed"]
    counted, told = engine.server.requests, observed["requests_by_kind"]
    assert sum(told.values()) == observed["requests"] == counted.total()
    # Whether the bucket is there at all is asked once, by a LIST, as part of a HEAD that finds nothing.
    assert counted["list"] - told["list"] in {0, 1}
    assert observed["estimated_cost_usd"] > 0


@on("folder")
def test_a_later_cycle_over_a_report_of_recons_own_files_takes_none_for_lake_data(engine):
    engine.report(midnight(hours_before=3))
    engine.place.run("--inline")
    own = [key for key in engine.content() if key.startswith((".recon/", "inventory-reports/"))]
    assert len(own) > 5
    engine.report(midnight(hours_before=2))
    report = engine.place.run("--inline")
    assert report["unexpected"] == 1
    assert report["observed"]["objects"] == len(HELD) - 1
    assert report["tasks"]["published"] == report["tasks"]["withdrawn"] == 0


def test_a_report_in_another_bucket_is_read_there(monkeypatch, tmp_path):
    use_credentials(monkeypatch)
    engine = ReportEngine(EnginePlace(tmp_path))
    with aws() as server:
        lake = server.bucket("the-lake")
        for key in HELD:
            put(server.s3, lake, key, b"x" * 10)
        there = rows([key.encode() for key in HELD if key != YOUNG], [10] * (len(HELD) - 1))
        write_report(
            partial(put, server.s3, server.bucket("the-reports")),
            [there],
            kind="ORC",
            at=midnight(hours_before=2),
            bucket="the-lake",
            prefix="inventory-reports",
        )
        s3 = {"endpoint_url": server.url, "region": "us-east-1", "inventory_bucket": "the-reports"}
        engine.write({"lake": "s3://the-lake", "inventory": "inventory.yaml", "s3": s3})
        report = engine.place.run("--inline")
        assert report["observed"]["source"] == "aws_inventory"
        is_truth(engine, report)
        engine.place.recon("down")


def put(client, bucket: str, key: str, body: bytes) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=body)


# ---- a broken one


def cut(engine, delivered) -> str:
    key = delivered.files[2]
    engine.put(key, b"PAR1")
    return key


def altered(engine, delivered) -> str:
    """Change one byte in the middle: the size stays, the MD5 does not."""
    key = delivered.files[1]
    size = engine.content()[key]
    engine.put(key, b"\0" * size)
    return key


def denied(engine, delivered) -> str:
    key = delivered.files[0]
    engine.server.denied.append(key.encode())
    return key


BROKEN = [
    pytest.param("folder", cut, (), id="cut, through workers"),
    pytest.param("folder", altered, ("--inline",), id="MD5, inline"),
    pytest.param("s3", denied, ("--inline",), id="403, inline"),
    pytest.param("s3", cut, ("--inline",), id="cut, on S3, inline"),
]


@pytest.mark.parametrize(("engine", "breaks", "way"), BROKEN, indirect=["engine"])
def test_within_one_run_a_broken_report_gives_way_to_the_next_older_one(engine, breaks, way):
    older = engine.report(midnight(hours_before=26))
    # Believed, the newer one would show half of the lake as missing, in files that can be read.
    newer = engine.report(midnight(hours_before=2), lacking=frozenset(BOX[::2]))
    key = breaks(engine, newer)
    report = engine.place.run(*way)
    assert report["observed"]["source"] == "aws_inventory"
    assert report["observed"]["report"] == older.manifest
    (line,) = report["warnings"]
    assert newer.folder in line
    assert key in line
    is_truth(engine, report)


@pytest.mark.parametrize(("engine", "breaks", "way"), BROKEN, indirect=["engine"])
def test_within_one_run_the_only_report_that_is_broken_gives_way_to_a_listing(engine, breaks, way):
    only = engine.report(midnight(hours_before=2), lacking=frozenset(BOX[::2]))
    key = breaks(engine, only)
    report = engine.place.run(*way)
    assert report["observed"]["source"] == "listing"
    (line,) = report["warnings"]
    assert "listed live" in line
    assert key in line
    is_truth(engine, report)


@on("folder")
def test_a_report_that_stays_broken_is_not_read_again(engine):
    engine.report(midnight(hours_before=26))
    cut(engine, engine.report(midnight(hours_before=2)))
    engine.place.run("--inline")
    done = engine.place.recon("run", "--inline")
    assert done.returncode == 0
    assert "not a newer one" in done.stderr
    assert len(list((engine.folder / "lake/.recon/cycles").glob("*/report.json"))) == 2
    assert not list((engine.folder / "lake/.recon/cycles").glob("*/error.json"))


@on("folder")
def test_a_report_that_is_too_old_is_not_used_and_told(engine):
    engine.report(datetime.now(UTC) - timedelta(days=9))
    report = engine.place.run("--inline")
    assert report["observed"]["source"] == "listing"
    assert any("max_report_age" in line for line in report["warnings"])
    is_truth(engine, report)


# ---- a worker that is killed


@on("s3")
def test_a_scan_worker_killed_while_it_reads_a_report_changes_no_answer(engine):
    engine.report(midnight(hours_before=2))
    words = [sys.executable, "-c", "from recon.cli import main; main()", "run", "--json"]
    run = subprocess.Popen(words, cwd=engine.folder, stdout=subprocess.PIPE, text=True)
    cycles = engine.folder / ".recon/cycles"
    try:
        give_up_at = time.monotonic() + 60
        while not list(cycles.glob("*/plan.json")):
            assert time.monotonic() < give_up_at
            assert run.poll() is None
            time.sleep(0.01)
        engine.server.latency_s = 3.0
        asked = engine.server.requests.total()
        while engine.server.in_flight == 0 and engine.server.requests.total() == asked:
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        assert engine.server.in_flight > 0
        (victim,) = children(run.pid, "recon.scan")
        os.kill(victim, signal.SIGKILL)
        engine.server.latency_s = 0.0
        output, _ = run.communicate(timeout=100)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0
    report = json.loads(output)
    assert report["observed"]["source"] == "aws_inventory"
    is_truth(engine, report)


# ---- the commands that read


@on("s3")
def test_a_key_that_came_due_since_and_could_not_be_looked_at_says_that_it_is_younger(engine):
    at = midnight(hours_before=2)
    engine.report(at)
    engine.server.denied.append(b"data/daily/")
    report = engine.place.run("--inline")
    assert report["verdicts"]["unknown"] == 1
    assert YOUNG not in engine.place.gap_keys()
    told = json.loads(engine.place.recon("explain", YOUNG, "--json").stdout)
    assert told["verdict"] == "unknown"
    assert told["as_of"] == at.isoformat()
    assert f"came due after the AWS S3 Inventory report of {at:%Y-%m-%d %H:%M} UTC" in told["why"]
    assert "younger" in told["why"]
    assert any("not confirmed live" in line for line in report["warnings"])  # the day that is gone, too


@on("s3")
def test_every_command_that_reads_works_after_a_cycle_over_a_report(engine):
    engine.report(midnight(hours_before=2))
    engine.place.run("--inline")
    gone = json.loads(engine.place.recon("explain", DAYS[4], "--json").stdout)
    assert (gone["verdict"], "looked_again_at" in gone) == ("missing", True)
    assert json.loads(engine.place.recon("explain", BOX[1], "--json").stdout)["verdict"] == "ok"
    stray = json.loads(engine.place.recon("explain", STRAY, "--json").stdout)
    assert stray["verdict"] is None
    counted = json.loads(engine.place.recon("explain", PLAYERS[0], "--json").stdout)
    assert counted["kind"] == "counted"
    rows = json.loads(engine.place.recon("coverage", "--json").stdout)
    assert {row["data_type"] for row in rows} == {"box", "daily", "players", "notes"}
    assert engine.place.recon("status").returncode == 0
    assert engine.place.recon("doctor").returncode == 0


@on("s3")
def test_a_plan_names_its_source_in_words_and_prices_both_ways(engine):
    at = midnight(hours_before=2)
    engine.report(at)
    engine.place.run("--inline")
    told = json.loads(engine.place.recon("plan", "--json").stdout)
    cost = told["cost"]
    assert cost["report"]["requests_by_kind"] == {"list": 2, "get": 6}
    assert cost["report"]["files_known"] is True
    assert cost["listing"]["requests_by_kind"]["list"] >= 1
    assert cost["interval_s"] == 3600
    assert told["tasks"]["published"] == 0
    done = engine.place.recon("plan")
    first, *rest = done.stdout.splitlines()
    assert f"objects from the AWS S3 Inventory report of {at:%Y-%m-%d %H:%M} UTC (" in first
    assert f"{len(GONE) + 1} keys looked at again" in first
    requests, listing, report = rest[:3]
    assert requests.startswith("requests: ")
    assert " LIST and " in requests
    assert " USD a month)" in requests
    assert listing.startswith("cost, a cycle every 1 h: a listing in full takes ")
    assert report.startswith("cost, a cycle every 1 h: an AWS S3 Inventory report takes 2 LIST and 6 GET: ")
