"""LocalLister keeps the lister's contract over a folder, and stays inside it."""

from __future__ import annotations

import os
import socket
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lister_contract import EVERYTHING, PLAIN, ListerContract, keys_of, table_of

from recon.adapters.local_lister import LocalLister
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError
from recon.model import KeyRange


def fill(root: Path, keys: dict[bytes, bytes]) -> LocalLister:
    for key, body in keys.items():
        path = root / os.fsdecode(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return LocalLister(root)


class TestContract(ListerContract):
    @pytest.fixture
    def lister_of(self, tmp_path):
        return lambda keys: fill(tmp_path, keys)

    @pytest.fixture
    def lake(self, lister_of):
        return lister_of(PLAIN)


NAMES = st.text("ab-./0é", min_size=1, max_size=12).map(
    lambda text: "/".join(part for part in text.split("/") if part.strip(".")).encode()
)


@settings(max_examples=60, deadline=None)
@given(st.sets(NAMES.filter(bool), max_size=12), NAMES, NAMES, st.none() | NAMES)
def test_any_range_of_any_folder_equals_the_sorted_filtered_keys(names, prefix, start_after, end):
    # A name cannot be a file and a folder at once: what lies below another file is left out.
    keys = {name for name in names if not any(name.startswith(other + b"/") for other in names)}
    with tempfile.TemporaryDirectory() as root:
        lister = fill(Path(root), dict.fromkeys(keys, b""))
        inside = [
            key
            for key in sorted(keys)
            if key.startswith(prefix) and key > start_after and (end is None or key <= end)
        ]
        assert keys_of(lister, KeyRange(prefix, start_after, end)) == inside


def test_names_that_are_not_utf8_come_through_as_they_are(tmp_path):
    assert keys_of(fill(tmp_path, {b"\xff\xfe/\x80": b""})) == [b"\xff\xfe/\x80"]


def test_empty_folders_hold_no_keys(tmp_path):
    (tmp_path / "empty" / "emptier").mkdir(parents=True)
    assert keys_of(LocalLister(tmp_path)) == []


def test_times_are_the_files_own_in_milliseconds(tmp_path):
    lister = fill(tmp_path, {b"a": b""})
    os.utime(tmp_path / "a", ns=(0, 1_234_567_890_123_999_999))
    assert table_of(lister)["mtime"].cast("int64").to_pylist() == [1_234_567_890_123]


def test_times_before_1970_round_down(tmp_path):
    lister = fill(tmp_path, {b"a": b""})
    os.utime(tmp_path / "a", ns=(0, -1))
    assert table_of(lister)["mtime"].cast("int64").to_pylist() == [-1]


def test_batches_hold_a_few_thousand_rows_and_lose_none(tmp_path):
    for number in range(5001):
        (tmp_path / f"{number:05}").touch()
    sizes = [page.batch.num_rows for page in LocalLister(tmp_path).pages(EVERYTHING)]
    assert sizes == [5000, 1]


def test_a_link_to_a_file_inside_counts_with_its_targets_size(tmp_path):
    lister = fill(tmp_path, {b"data/one": b"12345"})
    (tmp_path / "alias").symlink_to(tmp_path / "data" / "one")
    assert table_of(lister).select(["key", "size"]).to_pylist() == [
        {"key": b"alias", "size": 5},
        {"key": b"data/one", "size": 5},
    ]


def test_links_to_folders_and_out_of_the_root_and_to_nothing_do_not_count(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s")
    lister = fill(tmp_path / "lake", {b"data/one": b""})
    (tmp_path / "lake" / "folder").symlink_to(tmp_path / "lake" / "data")
    (tmp_path / "lake" / "up").symlink_to(tmp_path)
    (tmp_path / "lake" / "out").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "lake" / "broken").symlink_to("nowhere")
    (tmp_path / "lake" / "self").symlink_to("self")
    assert keys_of(lister) == [b"data/one"]
    assert keys_of(lister, KeyRange(b"folder/")) == keys_of(lister, KeyRange(b"up/outside/")) == []


@pytest.mark.parametrize("key", [b"../outside", b"link", b"\0", b"data"])
def test_reading_outside_the_root_or_a_folder_is_an_error(tmp_path, key):
    (tmp_path / "outside").write_bytes(b"s")
    lister = fill(tmp_path / "lake", {b"data/one": b""})
    (tmp_path / "lake" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(LakeError):
        lister.read(key)


@pytest.mark.parametrize(
    "prefix", [b"../", b"/", b"data//", b"./", b"data/../", b"data/one/", b"\0/", b"x" * 300 + b"/"]
)
def test_prefixes_that_no_file_has_list_nothing(tmp_path, prefix):
    lister = fill(tmp_path / "lake", {b"data/one": b""})
    (tmp_path / "outside").write_bytes(b"s")
    assert keys_of(lister, KeyRange(prefix)) == []
    assert lister.folders(prefix).prefixes == ()


def test_sockets_and_pipes_are_not_objects(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        server.bind("socket")
        assert keys_of(LocalLister(tmp_path)) == []


def test_a_missing_root_is_unreachable_and_never_empty(tmp_path):
    with pytest.raises(LakeUnreachableError) as caught:
        keys_of(LocalLister(tmp_path / "unmounted"))
    assert "unmounted" in str(caught.value)
    with pytest.raises(LakeUnreachableError):
        LocalLister(tmp_path / "unmounted").folders(b"")


def test_a_root_that_is_a_file_is_unreachable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LakeUnreachableError):
        keys_of(LocalLister(tmp_path / "file"))


def test_a_root_that_vanishes_meanwhile_is_unreachable(tmp_path):
    root = tmp_path / "lake"
    lister = fill(root, {b"a/%05d" % number: b"" for number in range(5001)} | {b"b/1": b""})
    pages = lister.pages(EVERYTHING)
    next(pages)
    root.rename(tmp_path / "gone")
    with pytest.raises(LakeUnreachableError):
        list(pages)


def test_a_file_that_vanishes_meanwhile_is_absent(tmp_path):
    lister = fill(tmp_path, {b"%05d" % number: b"" for number in range(5002)})
    pages = lister.pages(EVERYTHING)
    first = next(pages).batch.num_rows
    (tmp_path / "05001").unlink()
    assert first + sum(page.batch.num_rows for page in pages) == 5001


@pytest.fixture
def unprivileged():
    """Run as nobody where the tests run as root, whom no permission binds; give a folder nobody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        if os.getuid() == 0:
            os.seteuid(0)


def give_up_privileges() -> None:
    if os.getuid() == 0:
        os.seteuid(65534)


def test_a_folder_that_may_not_be_opened_is_named(unprivileged):
    lister = fill(unprivileged, {b"open/1": b"", b"shut/2": b""})
    (unprivileged / "shut").chmod(0o000)
    give_up_privileges()
    try:
        with pytest.raises(AccessDeniedError) as caught:
            keys_of(lister)
        assert "shut" in str(caught.value)
        assert keys_of(lister, KeyRange(b"open/")) == [b"open/1"]
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        (unprivileged / "shut").chmod(0o755)


def test_folders_outside_the_range_are_not_opened(unprivileged):
    lister = fill(unprivileged, {b"a/1": b"", b"b/x/1": b"", b"b/y/1": b"", b"c/1": b""})
    for shut in ("a", "b/x", "c"):
        (unprivileged / shut).chmod(0o000)
    give_up_privileges()
    try:
        assert keys_of(lister, KeyRange(b"", b"b/x0", b"b/z")) == [b"b/y/1"]
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        for shut in ("a", "b/x", "c"):
            (unprivileged / shut).chmod(0o755)


def test_the_first_page_comes_before_the_whole_lake_is_held(tmp_path):
    for folder in range(12):
        fill(tmp_path, {b"%02d/%05d" % (folder, number): b"" for number in range(1000)})
    tracemalloc.start()
    next(LocalLister(tmp_path).pages(EVERYTHING))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000
