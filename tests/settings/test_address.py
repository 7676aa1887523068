"""Spiders take their requests from another database than the engine's, and not in the open."""

from __future__ import annotations

import pytest

from recon.settings.address import spider_refusals


@pytest.mark.parametrize(
    ("address", "engine"),
    [
        ("redis://localhost", "redis://127.0.0.1:6379/0"),
        ("redis://localhost:6379/1", "redis://:secret@localhost/1"),
        ("rediss://:p@far:7000/2", "redis://:q@far:7000/2"),
        ("unix:///r.sock", "unix:///r.sock?db=0"),
        ("unix:///r.sock?db=1", "redis+socket:///r.sock?virtual_host=1"),
        ("redis://localhost?db=3", "redis://localhost/3"),
    ],
)
def test_the_engines_own_database_is_refused_however_it_is_written(address, engine):
    (refused,) = spider_refusals(address, [None, engine], insecure=True)
    assert refused.startswith("it is the database of the engine's queues or broker, where scrapy-redis would")


@pytest.mark.parametrize(
    ("address", "engine"),
    [
        ("redis://localhost/1", "redis://localhost/0"),
        ("redis://localhost:6380", "redis://localhost:6379"),
        ("unix:///r.sock?db=1", "unix:///r.sock"),
        ("unix:///r.sock", "unix:///other.sock"),
    ],
)
def test_another_database_is_taken(address, engine):
    assert list(spider_refusals(address, [engine, None], insecure=False)) == []


def test_an_address_that_is_none_or_lies_open_is_refused():
    (wrong,) = spider_refusals("http://x", [None], insecure=False)
    assert wrong.startswith("expected redis://host:6379/0")
    (open_to_all,) = spider_refusals("redis://far/1", [None], insecure=False)
    assert open_to_all.startswith("the Redis at far is on another host")
    assert list(spider_refusals("redis://far/1", [None], insecure=True)) == []
