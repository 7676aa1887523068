"""S3Lister meets every fault with the right keys or the right error, and never with a wrong list."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lister_contract import EVERYTHING, keys_of, table_of
from s3_server import FAULTS, Objects, S3Server, synthetic_keys, use_credentials

from recon.adapters.s3 import Patience, S3Lister
from recon.errors import (
    AccessDeniedError,
    LakeError,
    LakeUnreachableError,
    ListingInvalidError,
    ListingOrderError,
)
from recon.model import KeyRange

QUICK = Patience(attempts=6, deadline_s=10, connect_s=1, read_s=0.2, first_wait_s=0.002, longest_wait_s=0.01)
KEYS = synthetic_keys(60, 6)


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    use_credentials(monkeypatch)


@pytest.fixture(scope="module")
def running():
    with S3Server() as server, pytest.MonkeyPatch.context() as patch:
        use_credentials(patch)
        lister = S3Lister("lake", endpoint_url=server.url, patience=QUICK)
        yield server, lister


@pytest.fixture
def server(running):
    server = running[0]
    server.heal()
    server.objects = Objects.of(KEYS)
    server.requests.clear()
    server.shape, server.max_keys, server.hang_s, server.latency_s = "aws", 7, 0.4, 0.0
    server.most_in_flight = 0
    server.random.seed(0)
    return server


@pytest.fixture
def lister(running, server):
    return running[1]


PASSING = ["slow_down", "internal", "bad_gateway", "hang", "drop", "reset", "short", "truncate", "error_200"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_retried_and_every_key_comes(server, lister, fault):
    server.inject(fault, times=3)
    pages = list(lister.pages(EVERYTHING))
    assert [key for page in pages for key in page.batch.column(0).to_pylist()] == sorted(KEYS)
    assert sum(page.requests for page in pages) == 9 + 3


@pytest.mark.parametrize("fault", ["slow_down", "internal", "drop", "truncate", "error_200"])
def test_a_fault_in_a_fifth_of_the_answers_changes_nothing(server, lister, fault):
    server.inject(fault, p=0.2)
    assert keys_of(lister) == sorted(KEYS)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("slow_down", LakeUnreachableError),
        ("internal", LakeUnreachableError),
        ("bad_gateway", LakeUnreachableError),
        ("hang", LakeUnreachableError),
        ("drop", LakeUnreachableError),
        ("reset", LakeUnreachableError),
        ("short", LakeUnreachableError),
        ("error_200", LakeUnreachableError),
        ("truncate", ListingInvalidError),
        ("html_200", ListingInvalidError),
    ],
)
def test_a_fault_that_stays_fails_after_the_last_try(server, lister, fault, error):
    server.inject(fault)
    with pytest.raises(error, match="6 times"):
        keys_of(lister)


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("expired", AccessDeniedError, "expired"),
        ("skewed", AccessDeniedError, "clock"),
        ("wrong_region", LakeUnreachableError, "eu-central-1"),
        ("no_bucket", LakeUnreachableError, "NoSuchBucket"),
        ("denied_200", AccessDeniedError, "AccessDenied"),
    ],
)
def test_a_refusal_fails_at_once_and_says_the_next_step(server, lister, fault, error, says):
    server.inject(fault)
    with pytest.raises(error, match=says):
        keys_of(lister)
    assert server.requests["list"] == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("broken_xml", ListingInvalidError),
        ("lie_count", ListingInvalidError),
        ("lose_entry", ListingInvalidError),
        # What the repeated token lists again is noticed before the token is.
        ("repeat_token", ListingOrderError),
        ("no_token", ListingInvalidError),
        ("doctype", ListingInvalidError),
        ("unordered", ListingOrderError),
    ],
)
def test_a_listing_that_contradicts_itself_fails_without_a_retry(server, lister, fault, error):
    server.inject(fault)
    with pytest.raises(error) as caught:
        keys_of(lister)
    assert type(caught.value) is error
    assert server.requests["list"] <= 2


def test_a_listing_that_ignores_start_after_is_out_of_order(server, lister):
    server.inject("ignore_start_after")
    with pytest.raises(ListingOrderError, match="begin"):
        keys_of(lister, KeyRange(b"", KEYS[30]))


def test_a_listing_that_ignores_the_prefix_is_out_of_order(server, lister):
    server.inject("ignore_prefix")
    with pytest.raises(ListingOrderError, match="outside the prefix"):
        keys_of(lister, KeyRange(b"events/source=003/"))


def test_a_server_in_folder_order_is_found_out(server, lister):
    server.objects.put(b"events/source=000.txt", b"")
    server.inject("folder_order")
    with pytest.raises(ListingOrderError):
        keys_of(lister)


def test_a_server_in_folder_order_is_listed_whole_without_range_splits(server, lister):
    server.objects.put(b"events/source=000.txt", b"")
    server.inject("folder_order")
    span = KeyRange(b"events/source=00", KEYS[3], KEYS[-3])
    expected = [key for key in server.objects.keys if KEYS[3] < key <= KEYS[-3]]
    assert keys_of(lister, span, ordered=False) == expected


def test_an_unordered_listing_with_a_circle_of_tokens_fails(server, lister):
    server.inject("repeat_token")
    with pytest.raises(ListingInvalidError, match="circle"):
        keys_of(lister, ordered=False)


def test_a_key_listed_twice_out_of_order_comes_once_with_its_newest_time(server, lister):
    server.inject("unordered")
    pages = lister.pages(EVERYTHING, ordered=False)
    # The first page ends at the seventh key in whatever order: its last key is listed again below.
    server.objects.put(KEYS[0], b"12345", 1_900_000_000_000)
    table = [row for page in pages for row in page.batch.to_pylist()]
    assert [row["key"] for row in table] == sorted(KEYS)


@pytest.mark.parametrize("fault", ["no_count", "ignore_encoding"])
def test_an_older_server_is_read_right(server, lister, fault):
    server.objects.put("odd <&> + %41 é".encode(), b"")
    server.inject(fault)
    assert keys_of(lister) == server.objects.keys


@pytest.mark.parametrize("shape", ["aws", "aws_checksum", "minio", "indented", "attributes"])
def test_every_servers_dialect_lists_the_same(server, lister, shape):
    expected = table_of(lister)
    server.shape = shape
    assert table_of(lister).equals(expected)


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("ordered", [True, False])
def test_no_fault_ever_makes_a_wrong_list(server, lister, fault, ordered):
    server.random.seed(fault)
    for _ in range(3):
        server.inject(fault, p=0.05 if fault == "hang" else 0.5)
        span = KeyRange(b"events/", KEYS[5], KEYS[50])
        try:
            found = keys_of(lister, span, ordered=ordered)
        except LakeError:
            continue
        assert found == sorted(KEYS)[6:51]


def test_a_denied_prefix_fails_alone_and_is_named(server, lister):
    server.denied.append(b"events/source=003/")
    with pytest.raises(AccessDeniedError) as caught:
        keys_of(lister, KeyRange(b"events/source=003/"))
    assert "s3://lake/events/source=003/" in str(caught.value)
    assert server.url in str(caught.value)
    assert "s3:ListBucket" in str(caught.value)
    assert len(keys_of(lister, KeyRange(b"events/source=004/"))) == 10


def test_keys_added_and_deleted_between_pages_are_in_one_of_the_two_states(server, lister):
    pages = lister.pages(EVERYTHING)
    first = next(pages).batch.column(0).to_pylist()
    server.objects.delete(KEYS[2])
    server.objects.delete(KEYS[6])
    server.objects.delete(KEYS[40])
    server.objects.put(KEYS[3] + b"x", b"")
    server.objects.put(KEYS[45] + b"x", b"")
    rest = [key for page in pages for key in page.batch.column(0).to_pylist()]
    assert first == sorted(KEYS)[:7]
    assert rest == sorted({*KEYS[7:], KEYS[45] + b"x"} - {KEYS[40]})


def test_an_end_stops_the_listing_at_once(server, lister):
    assert keys_of(lister, KeyRange(b"", b"", KEYS[6])) == KEYS[:7]
    assert server.requests["list"] == 1


def test_a_range_that_can_hold_nothing_asks_nothing(server, lister):
    assert keys_of(lister, KeyRange(b"b", b"", b"a")) == keys_of(lister, KeyRange(b"", b"b", b"b")) == []
    assert not server.requests


def test_every_answer_is_a_page_even_an_empty_one(server, lister):
    pages = list(lister.pages(KeyRange(b"nothing/")))
    assert [(page.batch.num_rows, page.requests) for page in pages] == [(0, 1)]


def test_the_root_folder_marker_is_not_lake_data(server):
    server.objects.put(b"events/", b"")
    lister = S3Lister("lake", "/events/", endpoint_url=server.url, patience=QUICK)
    assert keys_of(lister) == keys_of(lister, ordered=False) == [key[len("events/") :] for key in KEYS]
    assert lister.folders(b"").keys == 0


@pytest.mark.parametrize("fault", ["lie_count", "no_token", "repeat_token", "truncate", "ignore_prefix"])
def test_folders_are_checked_as_strictly(server, lister, fault):
    server.max_keys = 2
    server.inject(fault)
    with pytest.raises(LakeError):
        lister.folders(b"events/source=003/")


def test_folders_page_through_many_prefixes(server, lister):
    found = lister.folders(b"events/")
    assert (found.prefixes, found.keys, found.requests) == (
        tuple(b"events/source=%03d/" % number for number in range(6)),
        0,
        1,
    )
    server.max_keys = 4
    assert lister.folders(b"events/").prefixes == found.prefixes


def test_only_the_first_pages_of_a_level_are_read(server, lister):
    server.max_keys = 2
    found = lister.folders(b"events/source=003/")
    assert (found.keys, found.requests, server.requests["list"]) == (8, 4, 4)


def test_a_page_tells_whether_more_follow_in_its_range(server, lister):
    assert [page.more for page in lister.pages(KeyRange(b"", b"", KEYS[17]))] == [True, True, False]
    assert [page.more for page in lister.pages(KeyRange(b"", KEYS[50]))] == [True, False]


@pytest.mark.parametrize("fault", ["slow_down", "expired", "lie_count", "no_token", "unordered", "truncate"])
def test_an_error_carries_the_requests_that_no_page_has_told(server, lister, fault):
    pages = lister.pages(EVERYTHING)
    told = next(pages).requests + next(pages).requests
    server.inject(fault)
    with pytest.raises(LakeError) as caught:
        next(pages)
    assert told + caught.value.requests == server.requests["list"]


def test_an_error_of_an_unordered_listing_carries_every_request_of_it(server, lister):
    server.inject("repeat_token")
    with pytest.raises(LakeError) as caught:
        keys_of(lister, ordered=False)
    assert caught.value.requests == server.requests["list"] > 1


def test_a_server_that_lists_in_order_may_be_cut_and_one_that_does_not_says_why(server, lister):
    found = lister.order(b"")
    assert (found.may_split, found.requests) == (True, server.requests["list"])
    server.inject("ignore_start_after")
    found = lister.order(b"events/")
    assert not found.may_split
    assert "StartAfter" in found.detail


def test_a_missing_object_is_named_and_not_retried(server, lister):
    with pytest.raises(LakeError, match=r"s3://lake/catalogs/none\.csv"):
        lister.read(b"catalogs/none.csv")
    assert server.requests["get"] == 1


@pytest.mark.parametrize("fault", ["reset", "short", "drop", "slow_down"])
def test_an_object_is_read_whole_or_not_at_all(server, lister, fault):
    server.objects.put(b"catalog", b"game_id\n" * 10_000)
    server.inject(fault, times=2)
    assert lister.read(b"catalog") == b"game_id\n" * 10_000
    server.inject(fault)
    with pytest.raises(LakeUnreachableError):
        lister.read(b"catalog")


def test_a_server_that_is_not_there_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lister = S3Lister("lake", endpoint_url=f"http://127.0.0.1:{port}", patience=QUICK)
    with pytest.raises(LakeUnreachableError, match=f"127.0.0.1:{port}"):
        keys_of(lister)


def test_a_deadline_ends_the_tries(server):
    server.inject("slow_down")
    patience = Patience(attempts=10_000, deadline_s=0.3, first_wait_s=0.02, longest_wait_s=0.02)
    lister = S3Lister("lake", endpoint_url=server.url, patience=patience)
    begun = time.monotonic()
    with pytest.raises(LakeUnreachableError):
        keys_of(lister)
    assert time.monotonic() - begun < 20


def test_a_throttled_server_is_asked_by_fewer_threads_at_once(server):
    server.latency_s = 0.005
    lister = S3Lister("lake", endpoint_url=server.url, patience=QUICK, connections=16)
    keys_of(lister)
    server.inject("slow_down", times=30)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: len(keys_of(lister, KeyRange(KEYS[0]))), range(64)))
        assert found == [1] * 64
    assert lister._client._gate.bound < 16


def test_connections_bound_the_requests_in_flight(server):
    server.latency_s = 0.01
    lister = S3Lister("lake", endpoint_url=server.url, patience=QUICK, connections=3)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda number: keys_of(lister, KeyRange(KEYS[number])), range(24)))
    assert 2 <= server.most_in_flight <= 3


def test_an_answer_without_end_is_not_read_to_the_end(monkeypatch):
    monkeypatch.setattr("recon.adapters.s3.client._LISTING_MAX_BYTES", 1 << 20)
    sent = []

    def pour(listening):
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>")
            try:
                for _ in range(10_000):
                    connection.sendall(b"<Contents>" * 10_000)
                    sent.append(100_000)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=pour, args=(listening,))
        thread.start()
        lister = S3Lister(
            "lake", endpoint_url=f"http://127.0.0.1:{listening.getsockname()[1]}", patience=QUICK
        )
        with pytest.raises(LakeError, match="exceeds"):
            keys_of(lister)
        thread.join(5)
    assert sum(sent) < 20_000_000
