"""What looking costs is plain arithmetic over requests, prices and the interval."""

from __future__ import annotations

import pytest

from recon.core.cost import (
    MONTH_S,
    Forecast,
    Prices,
    Requests,
    by_listing,
    by_report,
    files_assumed,
    monthly_usd,
)

AWS = Prices(0.005 / 1000, 0.0004 / 1000)
HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("objects", "ranges", "lists"),
    [
        (172_754, 1, 173),
        (172_754, 300, 300),
        (40_000_000, 8, 40_000),
        (1_000, 1, 1),
        (1_001, 1, 2),
        (0, 1, 1),
    ],
)
def test_a_listing_takes_a_request_for_each_page_and_one_at_least_for_each_range(objects, ranges, lists):
    assert by_listing(objects, ranges) == Requests(lists, 0)


def test_a_report_takes_two_lists_its_configuration_its_manifest_its_checksum_and_its_files():
    assert by_report(8) == Requests(2, 11)


def test_the_owners_figures_come_out():
    listing, report = by_listing(172_754), by_report(8)
    assert listing.usd(AWS) == pytest.approx(0.000865)
    assert monthly_usd(listing.usd(AWS), MONTH_S / 1000) == pytest.approx(0.865)
    assert round(monthly_usd(listing.usd(AWS), HOUR_S), 2) == 0.62
    assert round(monthly_usd(report.usd(AWS), HOUR_S), 2) == 0.01


def test_forty_million_objects_listed_hourly_cost_144_usd_a_month():
    assert monthly_usd(by_listing(40_000_000).usd(AWS), HOUR_S) == pytest.approx(144)


def test_a_forecast_tells_both_ways_per_cycle_and_per_month():
    told = Forecast(172_754, by_listing(172_754), files=8, look_again_max=1000).document(AWS, HOUR_S)
    assert told["listing"] == {
        "requests_by_kind": {"list": 173, "get": 0},
        "usd": 0.000865,
        "monthly_usd": 0.6228,
    }
    assert told["report"] == {
        "requests_by_kind": {"list": 2, "get": 11},
        "usd": 0.000014,
        "monthly_usd": 0.010368,
        "files": 8,
        "files_known": True,
        "delivery_monthly_usd": 0.012957,
        "look_again_max": {"requests": 1000, "usd": 0.005},
    }


def test_a_lake_that_nobody_has_looked_at_has_no_price():
    told = Forecast().document(AWS, HOUR_S)
    assert (told["objects"], told["listing"], told["report"]) == (None, None, None)


def test_the_files_of_a_report_that_is_not_there_are_assumed_and_said_to_be():
    told = Forecast(3_000_000, by_listing(3_000_000)).document(AWS, HOUR_S)["report"]
    assert (told["files"], told["files_known"]) == (8, False)
    assert files_assumed(40_000_000) == 40


def test_a_folder_costs_nothing():
    told = Forecast(172_754, by_listing(172_754), files=8).document(Prices(), HOUR_S)
    assert told["listing"]["usd"] == told["report"]["usd"] == told["report"]["delivery_monthly_usd"] == 0.0
