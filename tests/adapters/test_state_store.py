"""Every state store keeps the same promises."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from state_stores import s3, store

from recon.adapters.state_store import FileStateStore, S3StateStore
from recon.errors import StateError

__all__ = ["s3", "store"]


def test_a_name_that_was_never_put_reads_as_none(store):
    assert store.get("cycles/1/plan") is None
    assert store.names("") == []


def test_a_put_reads_back_byte_for_byte(store):
    content = bytes(range(256)) * 10
    store.put("cycles/1/sketches/a.bin", content)
    assert store.get("cycles/1/sketches/a.bin") == content


def test_a_put_replaces_what_was_there(store):
    store.put("latest", b"a long first content")
    store.put("latest", b"2")
    assert store.get("latest") == b"2"


def test_an_empty_content_is_not_nothing(store):
    store.put("empty", b"")
    assert store.get("empty") == b""


def test_names_start_with_the_prefix_and_are_sorted(store):
    for name in ("cycles/2/b", "cycles/10/a", "cycles/1/a", "hints", "cyc"):
        store.put(name, b"x")
    assert store.names("cycles/1") == ["cycles/1/a", "cycles/10/a"]
    assert store.names("cycles/1/") == ["cycles/1/a"]
    assert store.names("") == ["cyc", "cycles/1/a", "cycles/10/a", "cycles/2/b", "hints"]


def test_delete_takes_exactly_what_starts_with_the_prefix(store):
    for name in ("cycles/1/a", "cycles/1/b/c", "cycles/10/a", "cycles/2/a"):
        store.put(name, b"x")
    store.delete("cycles/1/")
    store.delete("never/was/")
    assert store.names("") == ["cycles/10/a", "cycles/2/a"]


def test_deleting_everything_is_refused(store):
    store.put("a", b"x")
    with pytest.raises(StateError, match="name a prefix"):
        store.delete("")
    assert store.get("a") == b"x"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\\..\\b", "a\nb", "x" * 256]
)
def test_a_name_that_could_leave_the_root_is_refused(store, name):
    with pytest.raises(StateError, match="cannot be a name"):
        store.put(name, b"x")
    with pytest.raises(StateError, match="cannot be a name"):
        store.get(name)


def test_a_prefix_that_could_leave_the_root_is_refused(store):
    with pytest.raises(StateError, match="cannot be a name"):
        store.names("../")
    with pytest.raises(StateError, match="cannot be a name"):
        store.delete("a/../..")


def test_names_outside_the_prefix_of_an_s3_store_are_not_its_own(s3):
    s3.create_bucket(Bucket="shared")
    S3StateStore("shared", "one", s3).put("a", b"1")
    S3StateStore("shared", "one-more", s3).put("a", b"2")
    S3StateStore("shared", "", s3).put("a", b"3")
    assert S3StateStore("shared", "/one/", s3).names("") == ["a"]
    assert S3StateStore("shared", "one", s3).get("a") == b"1"


def test_more_names_than_a_page_are_listed_and_deleted(s3):
    s3.create_bucket(Bucket="many")
    store = S3StateStore("many", "p", s3)
    held = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]  # a thousand requests take many seconds
    for number in range(1005):
        held.put_object("many", f"p/c/{number:04}", b"")
    assert len(store.names("c/")) == 1005
    store.delete("c/")
    assert store.names("") == []


def test_a_bucket_that_is_not_there_is_a_state_error_with_the_next_step(s3):
    store = S3StateStore("nowhere", "", s3)
    for attempt in (
        lambda: store.put("a", b""),
        lambda: store.get("a"),
        lambda: store.names(""),
        lambda: store.delete("a"),
    ):
        with pytest.raises(StateError, match=r"s3://nowhere/.*Check `state`"):
            attempt()


def test_a_server_that_does_not_answer_is_a_state_error():
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1),
    )
    with pytest.raises(StateError, match="cannot read"):
        S3StateStore("b", "", client).get("a")
    client.close()


def test_a_folder_that_cannot_be_made_is_a_state_error_with_the_next_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError, match=r"cannot write .*Check `state`"):
        FileStateStore(tmp_path / "file" / "state").put("a", b"")


def test_a_name_that_is_a_folder_of_names_is_refused_and_leaves_no_half(tmp_path):
    store = FileStateStore(tmp_path)
    store.put("a/b", b"1")
    with pytest.raises(StateError, match="cannot write"):
        store.put("a", b"2")
    assert store.get("a") is None
    assert not list((tmp_path / ".tmp").iterdir())


def test_readers_see_the_old_or_the_new_content_never_a_part(tmp_path):
    store = FileStateStore(tmp_path)
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    store.put("x", contents[0])
    stop = threading.Event()
    torn = []

    def read() -> None:
        while not stop.is_set():
            if store.get("x") not in contents:
                torn.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        store.put("x", contents[number % 2])
    stop.set()
    reader.join()
    assert not torn


def test_deleting_beside_a_put_loses_neither(tmp_path):
    store = FileStateStore(tmp_path)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            store.put("d/e/gone", b"")
            store.delete("d/e/gone")

    churners = [threading.Thread(target=churn) for _ in range(3)]
    for churner in churners:
        churner.start()
    try:
        for number in range(50):
            store.put(f"d/e/{number}", b"")
            store.delete(f"d/e/{number}")
            store.put(f"d/e/{number}", b"")
    finally:
        stop.set()
        for churner in churners:
            churner.join()
    assert len(store.names("d/e/")) == 50


def test_a_put_outlives_a_folder_that_vanishes_while_the_next_is_made(tmp_path, monkeypatch):
    store = FileStateStore(tmp_path)
    make = os.mkdir
    vanished = []

    def make_once_it_vanished(path, *mode):
        if Path(path) == tmp_path / "d/e" and (tmp_path / "d").exists() and not vanished:
            (tmp_path / "d").rmdir()
            vanished.append(path)
        make(path, *mode)

    monkeypatch.setattr(os, "mkdir", make_once_it_vanished)
    store.put("d/e/f", b"1")
    assert vanished
    assert store.get("d/e/f") == b"1"


def test_what_a_killed_writer_left_is_not_a_name_and_is_swept_later(tmp_path):
    aside = tmp_path / ".tmp" / "half"
    aside.parent.mkdir()
    aside.write_bytes(b"ha")
    os.utime(aside, (0, 0))
    store = FileStateStore(tmp_path)
    assert store.names("") == []
    store.put("a", b"1")
    assert not aside.exists()


def test_deleting_leaves_no_empty_folders(tmp_path):
    store = FileStateStore(tmp_path)
    store.put("cycles/1/deep/a", b"1")
    store.delete("cycles/1/")
    assert [path.name for path in tmp_path.iterdir()] == [".tmp"]
