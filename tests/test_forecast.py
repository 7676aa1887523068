"""What a cycle will cost is known from earlier ones, before anything is looked at, and comes true."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from aws_reports import rows, write_report
from cycle_place import OBJECTS, Place, now
from declared import dataset, inventory
from s3_server import S3Server, use_credentials

from recon import cycle
from recon.adapters.redis_client import RedisBroker
from recon.aws_reports import ReportPlace
from recon.forecast import cost_document, forecast

MANY = 40_000


@pytest.fixture
def place(valkey, monkeypatch):
    yield from place_of([key.encode() for key in OBJECTS], valkey, monkeypatch)


@pytest.fixture
def large(valkey, monkeypatch):
    keys = [b"many/%05d.bin" % number for number in range(MANY)]
    for made in place_of(keys, valkey, monkeypatch):
        made.declared = inventory(dataset("many/{n}.bin", name="nba.many"))
        yield made


def place_of(keys, valkey, monkeypatch):
    use_credentials(monkeypatch)
    valkey.client.flushall()
    broker = RedisBroker.connect(valkey.url)
    with S3Server(keys) as server:
        yield Place(server, broker)
    broker.close()


def planned(place: Place, cycle_id: str = "next", **options: object):
    chosen = replace(place.options, **options)
    return cycle.plan(place.ports, cycle_id, place.declared, {}, chosen, reports=place.reports)


def known(place: Place, **options: object):
    return forecast(place.ports.state, planned(place, **options))


def test_a_lake_that_was_never_looked_at_has_no_price(place):
    assert (known(place).objects, known(place).listing, known(place).files) == (None, None, None)


def test_the_next_listing_takes_about_as_many_requests_as_was_told(large):
    large.cycle()
    told = known(large)
    large.server.requests.clear()
    report = large.cycle()
    assert told.objects == report["observed"]["objects"] == MANY
    assert told.listing.lists == pytest.approx(report["observed"]["requests_by_kind"]["list"], rel=0.05)


def test_telling_asks_the_lake_nothing(large):
    large.cycle()
    judged = planned(large)
    large.server.requests.clear()
    forecast(large.ports.state, judged)
    assert not large.server.requests


def test_where_no_listing_left_hints_the_last_cycle_tells_how_long_one_is(large):
    large.cycle()
    large.ports.state.delete("hints.json")
    assert known(large).listing.lists == MANY // 1000


def test_a_sample_does_not_tell_how_many_objects_there_are(place):
    report = place.cycle()
    report["observed"]["source"] = "sample"
    name = f"cycles/{report['cycle_id']}/report.json"
    place.ports.state.put(name, json.dumps(report).encode())
    place.ports.state.delete("hints.json")
    assert known(place).objects is None


def test_a_planned_report_tells_its_files(place):
    place.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))

    def put(key: str, body: bytes) -> None:
        place.server.objects.put(key.encode(), body)

    frames = [rows([key.encode() for key in OBJECTS])[part::3] for part in range(3)]
    write_report(put, frames, kind="Parquet", at=now() - timedelta(hours=1))
    told = cost_document(place.ports.state, planned(place))["report"]
    assert (told["files"], told["files_known"]) == (3, True)
    report = place.cycle(confirm_requests_max=0)
    assert report["observed"]["requests_by_kind"] == told["requests_by_kind"]
    assert report["observed"]["estimated_cost_usd"] == pytest.approx(told["usd"], abs=1e-6)


def test_prices_and_the_interval_are_those_of_the_settings(large):
    large.cycle()
    judged = planned(large, list_usd=1.0, interval_s=1800.0)
    told = cost_document(large.ports.state, judged)["listing"]
    assert told["usd"] == told["requests_by_kind"]["list"]
    assert told["monthly_usd"] == told["usd"] * 1440


def test_a_cycle_tells_what_a_month_of_it_costs(large):
    observed = large.cycle(interval_s=900.0)["observed"]
    assert observed["estimated_monthly_usd"] == pytest.approx(observed["estimated_cost_usd"] * 2880, rel=0.01)
