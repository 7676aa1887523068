"""A counted lister lists what the one behind it lists, and tells what each page took."""

from __future__ import annotations

from recon.adapters.counted_lister import CountedLister
from recon.adapters.local_lister import LocalLister
from recon.model import KeyRange


def test_pages_folders_and_contents_come_through_and_pages_are_counted(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/1", "a/2", "b"):
        (tmp_path / name).write_text(name)
    plain, told = LocalLister(tmp_path), []
    counted = CountedLister(plain, lambda objects, requests: told.append((objects, requests)))
    keys = [key for page in counted.pages(KeyRange(b"")) for key in page.batch.column("key").to_pylist()]
    assert keys == [b"a/1", b"a/2", b"b"]
    assert sum(objects for objects, _ in told) == 3
    assert counted.folders(b"") == plain.folders(b"")
    assert counted.read(b"a/1") == b"a/1"
