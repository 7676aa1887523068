"""The probe tells servers that may be range-split from those that may not."""

from __future__ import annotations

import pytest
from s3_server import S3Server, synthetic_keys, use_credentials

from recon.adapters.s3 import Patience, S3Lister
from recon.errors import AccessDeniedError


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    use_credentials(monkeypatch)


@pytest.fixture
def server():
    with S3Server(synthetic_keys(60, 6)) as server:
        yield server


@pytest.fixture
def lister(server):
    return S3Lister("lake", "events", endpoint_url=server.url, patience=Patience(attempts=1))


def test_a_good_server_may_be_split(lister):
    found = lister.probe()
    assert (found.keys, found.may_split, found.detail, found.server) == (60, True, "", "sorted-array")
    assert found.requests <= 11
    assert abs(found.skew_s) < 5


def test_an_empty_lake_speaks_against_nothing(server):
    found = S3Lister("lake", "nothing", endpoint_url=server.url).probe()
    assert (found.keys, found.may_split, found.requests) == (0, True, 1)


@pytest.mark.parametrize(
    ("fault", "ordered", "start_after"),
    [("unordered", False, True), ("ignore_start_after", True, False), ("folder_order", True, False)],
)
def test_a_server_that_breaks_a_promise_may_not_be_split(server, lister, fault, ordered, start_after):
    server.inject(fault)
    found = lister.probe()
    assert (found.ordered, found.start_after, found.may_split) == (ordered, start_after, False)
    assert found.detail


def test_a_lake_that_may_not_be_listed_raises(server, lister):
    server.denied.append(b"")
    with pytest.raises(AccessDeniedError):
        lister.probe()
