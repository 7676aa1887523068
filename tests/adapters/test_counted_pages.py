"""What is counted gives what stands behind it, and tells what each page took."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from aws_reports import into, rows, write_report

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.counted_pages import CountedLister, CountedReportFiles
from recon.adapters.local_lister import LocalLister
from recon.core.aws_manifest import read_manifest
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


def test_the_rows_of_reports_come_through_and_are_counted(tmp_path):
    at = datetime(2025, 11, 1, tzinfo=UTC)
    report = write_report(into(tmp_path), [rows([b"a", b"b"])], kind="CSV", at=at)
    plain, told = AwsReportFiles(LocalLister(tmp_path)), []
    counted = CountedReportFiles(plain, lambda objects, requests: told.append((objects, requests)))
    content = counted.read(report.manifest.encode())
    checksum = counted.read(f"{report.folder}manifest.checksum".encode())
    manifest = read_manifest(content, checksum, hashlib.md5(content).hexdigest())
    (page,) = counted.pages(manifest, manifest.files[0], b"")
    assert sorted(page.batch.column("key").to_pylist()) == [b"a", b"b"]
    assert told == [(2, 0)]
    assert counted.folders(b"") == plain.folders(b"")
    assert counted.filter_of("daily") == plain.filter_of("daily")
