"""A person reads where an observation comes from, how old it is, and what looking costs."""

from __future__ import annotations

import pytest

from recon.cli.cost_words import cost_lines, dollars, source_words, spent_words
from recon.core.cost import Forecast, Prices, by_listing

AWS = Prices(0.005 / 1000, 0.0004 / 1000)


def document(**observed: object) -> dict:
    return {"started_at": "2026-11-25T11:00:00.000Z", "observed": observed}


def test_a_report_is_named_with_its_time_its_age_and_what_was_looked_at_again():
    told = document(source="aws_inventory", as_of="2026-11-24T01:00:00.000Z", looked_again=212)
    assert source_words(told) == (
        "from the AWS S3 Inventory report of 2026-11-24 01:00 UTC (34 h old), 212 keys looked at again"
    )


def test_a_report_after_which_nothing_was_looked_at_says_no_more():
    told = document(source="aws_inventory", as_of="2026-11-25T10:15:00.000Z", looked_again=0)
    assert source_words(told) == "from the AWS S3 Inventory report of 2026-11-25 10:15 UTC (45 min old)"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("listing", "listed live"),
        ("sample", "of a sample listed live"),
        ("cache", "from the observation of 2026-11-25 10:00 UTC (1 h old), kept by an earlier cycle"),
    ],
)
def test_other_sources_are_named_too(source, words):
    assert source_words(document(source=source, as_of="2026-11-25T10:00:00.000Z")) == words


def test_requests_are_told_by_kind_with_what_they_cost():
    spent = {"requests_by_kind": {"list": 2, "get": 10}, "estimated_cost_usd": 0.000014}
    assert spent_words(spent) == "2 LIST and 10 GET, 0.000014 USD"
    assert spent_words({**spent, "estimated_monthly_usd": 0.01008}) == (
        "2 LIST and 10 GET, 0.000014 USD (0.01 USD a month)"
    )
    assert spent_words({"requests_by_kind": {"list": 0, "get": 0}, "estimated_cost_usd": 0.0}) == "none"


def test_both_ways_are_priced_a_line_each():
    cost = Forecast(172_754, by_listing(172_754), files=8, look_again_max=1000).document(AWS, 3600.0)
    listing, report = cost_lines(cost)
    assert listing == (
        "cost, a cycle every 1 h: a listing in full takes 173 LIST: 0.000865 USD, 0.62 USD a month"
    )
    assert report == (
        "cost, a cycle every 1 h: an AWS S3 Inventory report takes 2 LIST and 11 GET: 0.000014 USD, 0.01 USD "
        "a month, 0.01 USD a month to AWS for writing it, and at most 1,000 requests to look again at what "
        "it cannot tell"
    )


def test_what_is_assumed_is_said_to_be():
    cost = Forecast(172_754, by_listing(172_754)).document(AWS, 900.0)
    assert "a cycle every 15 min" in cost_lines(cost)[0]
    assert "(8 data files assumed)" in cost_lines(cost)[1]


def test_a_folder_and_an_unknown_lake_have_no_lines():
    assert cost_lines({}) == []
    assert cost_lines(Forecast().document(AWS, 3600.0)) == []
    assert cost_lines(Forecast(5, by_listing(5)).document(Prices(), 3600.0)) == []


@pytest.mark.parametrize(
    ("usd", "words"),
    [(0.0, "0.00 USD"), (144.004, "144.00 USD"), (1234.5, "1,234.50 USD"), (0.0009, "0.0009 USD")],
)
def test_small_amounts_keep_three_digits_that_count(usd, words):
    assert dollars(usd) == words
