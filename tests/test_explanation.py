"""What is known of a key after a cycle over a report: whose word it is, and how old."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aws_reports import into, rows, write_report
from cycle_place import Place
from declared import dataset, inventory
from s3_server import S3Server, use_credentials

from recon.adapters.redis_client import RedisBroker
from recon.aws_reports import ReportPlace
from recon.explanation import explained
from recon.findings import last_findings

#: The clock stands: a midnight that passes while tests run makes nothing due.
NOW = datetime.now(UTC)
TODAY = NOW.date()
DAYS = [f"daily/{TODAY - timedelta(days=back)}.json" for back in range(30)]
#: Came due last midnight, after the report; and a day that was there before it, and one that was not.
YOUNG, THERE, GONE = DAYS[1], DAYS[9], DAYS[10]
DECLARED = inventory(
    dataset("daily/{day}.json", name="nba.daily"),
    dataset("other/{day}.json", name="nba.other"),
    dimensions={"day": {"every": "day", "start": str(TODAY - timedelta(days=29)), "end": "now"}},
)


@pytest.fixture
def place(valkey, monkeypatch, tmp_path):
    use_credentials(monkeypatch)
    valkey.client.flushall()
    broker = RedisBroker.connect(valkey.url)
    held = [key.encode() for key in DAYS[2:] if key != GONE]
    with S3Server(held) as server:
        made = Place(server, broker, tmp_path)
        made.ports = replace(made.ports, clock=lambda: NOW)
        made.declared = DECLARED
        made.reports = ReportPlace("lake", "inventory", None, timedelta(hours=72))
        write_report(into(tmp_path), [rows(held)], kind="Parquet", at=reported_at())
        yield made
    broker.close()


def reported_at() -> datetime:
    return NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=2)


def of(place: Place, key: str) -> dict:
    return explained(last_findings(place.ports.state), key)


def test_as_of_is_the_reports_own(place):
    place.cycle()
    assert of(place, THERE)["verdict"] == "ok"
    assert of(place, THERE)["as_of"] == reported_at().isoformat()
    assert "looked_again_at" not in of(place, THERE)


def test_a_key_that_was_looked_at_again_says_when(place):
    report = place.cycle()
    told = of(place, GONE)
    assert told["verdict"] == "missing"
    assert told["looked_again_at"][:19] == report["started_at"][:19]
    assert "why" not in told


def test_a_key_that_came_due_since_and_could_not_be_looked_at_is_younger_than_the_report(place):
    place.server.denied.append(b"daily/")
    place.cycle()
    told = of(place, YOUNG)
    assert told["verdict"] == "unknown"
    age = f"{reported_at():%Y-%m-%d %H:%M} UTC"
    assert told["why"].startswith(f"it came due after the AWS S3 Inventory report of {age} and is younger")
    assert "HTTP 403" in told["why"]


def test_a_key_for_which_no_request_was_left_names_the_limit(place):
    place.cycle(requests_max=0)
    assert "0 in all (s3.max_requests_per_cycle)" in of(place, YOUNG)["why"]


def test_a_gap_that_only_the_report_shows_says_so(place):
    place.cycle(confirm_requests_max=0)
    told = of(place, GONE)
    assert told["verdict"] == "missing"
    assert told["why"].startswith("so says the AWS S3 Inventory report of ")
    assert told["priority"] == "high"


def test_what_lies_outside_what_a_report_is_read_for_is_out_of_scope(place):
    place.cycle(scope=("other/",))
    assert of(place, THERE)["why"].startswith("out of scope")
    place.cycle(select=((("type", "other"),),))
    assert of(place, THERE)["why"] == "out of scope: --select leaves it out"
