"""A scheduled cycle whose report breaks is followed at once by one that takes another way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from aws_reports import Report, into, rows, write_report
from steps_place import GONE, WANTED, Place, place

from workers import steps

__all__ = ["place"]


@pytest.fixture
def reporting(place):
    place.configure("s3: {use_aws_inventory: true}\n")
    return place


def reported(place: Place, hours_ago: float, held: set[str]) -> Report:
    frames = [rows([key.encode() for key in sorted(held)])[part::2] for part in range(2)]
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return write_report(into(place.lake), frames, kind="Parquet", at=at, prefix="inventory-reports")


def cut(place: Place, report: Report) -> None:
    (place.lake / report.files[1]).write_bytes(b"PAR1")


def failed(place: Place) -> str:
    """Take every step of a scheduled cycle that ends in an error; return its id."""
    cycle_id, flags = steps.slot_cycle(3600.0)
    place.scanned(cycle_id, flags)
    steps.finish(cycle_id)
    assert place.state(cycle_id, "report") is None
    assert place.queued() == set()
    assert place.ledger.current() is None
    return cycle_id


def taken_up(place: Place) -> dict:
    """Take up what the watchdog finds due now, without letting time pass; return its report."""
    ((cycle_id, flags),) = steps.due_cycles()
    place.scanned(cycle_id, flags)
    steps.finish(cycle_id)
    return place.state(cycle_id, "report")


def test_a_broken_report_is_followed_at_once_by_the_next_older_one(reporting):
    older = reported(reporting, 20, set(WANTED) - GONE)
    cut(reporting, reported(reporting, 2, set(WANTED[::2])))
    first = failed(reporting)
    assert "refused whole" in reporting.state(first, "error")["message"]
    report = taken_up(reporting)
    assert report["cycle_id"] == f"{first}-r1"
    assert report["observed"]["report"] == older.manifest
    assert reporting.queued() == GONE
    assert steps.due_cycles() == []


def test_after_the_last_report_a_listing_follows_whatever_max_retries_says(reporting):
    reporting.configure("s3: {use_aws_inventory: true}\nreconciliation_loop: {max_retries: 0}\n")
    for hours_ago in (2, 20):
        cut(reporting, reported(reporting, hours_ago, set(WANTED[::2])))
    failed(reporting)
    ((cycle_id, flags),) = steps.due_cycles()
    reporting.scanned(cycle_id, flags)
    steps.finish(cycle_id)
    assert "refused whole" in reporting.state(cycle_id, "error")["message"]
    report = taken_up(reporting)
    assert report["observed"]["source"] == "listing"
    assert reporting.queued() == GONE


def test_why_a_report_is_not_used_is_said_in_the_workers_log(reporting, caplog):
    cut(reporting, reported(reporting, 2, set(WANTED[::2])))
    failed(reporting)
    taken_up(reporting)
    assert any("the lake is listed live" in line and "data/" in line for line in caplog.messages)


def test_a_run_that_somebody_waits_for_leaves_the_next_attempt_to_them(reporting):
    cut(reporting, reported(reporting, 2, set(WANTED[::2])))
    reporting.scanned("one", {})
    steps.finish("one")
    assert reporting.state("one", "error")["at_once"] is True
    assert steps.due_cycles() == []


def test_a_report_cycle_that_was_refused_and_delivered_again_publishes_nothing(reporting):
    cut(reporting, reported(reporting, 2, set(WANTED[::2])))
    first = failed(reporting)
    steps.finish(first)
    steps.begin(first, {"attempt": 0})
    assert reporting.queued() == set()
    report = taken_up(reporting)
    assert report["observed"]["source"] == "listing"
    assert json.loads((reporting.folder / "inventory/gaps.json").read_text())["total_tasks"] > 0
    assert reporting.queued() == GONE
