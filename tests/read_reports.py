"""Reads reports back in tests: what they tell, or why they are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from aws_reports import Report, into, with_body

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.local_lister import LocalLister
from recon.core.aws_manifest import Manifest, read_manifest
from recon.errors import ReportError
from recon.ports import LISTING_SCHEMA

#: Keys that a careless reader changes, loses or trips over.
ODD = [
    b"plus+plus",
    b"space space",
    b"percent%2Fpercent",
    b"%",
    b"100%25",
    b"a//b",
    b"../x",
    b"/",
    b"folder/",
    b"new\nline",
    b"return\rreturn",
    b"quote\"'quote",
    b"comma,comma",
    b"tab\there",
    b"~tilde*.-_",
    "é/\U0001f3c0".encode(),
    b"k" * 1024,
    "\u20ac".encode() * 341,
    b"true",
    b'""',
    b"NULL",
]

Told = list[tuple[bytes, int, int]]


def manifest_of(root: Path, report: Report) -> Manifest:
    content = (root / report.manifest).read_bytes()
    checksum = (root / report.folder / "manifest.checksum").read_bytes()
    return read_manifest(content, checksum, hashlib.md5(content).hexdigest())


def told(root: Path, report: Report, below: bytes = b"") -> Told:
    """Return (key, size, milliseconds) of all objects of a report, sorted."""
    manifest, files, found = manifest_of(root, report), AwsReportFiles(LocalLister(root)), []
    for file in manifest.files:
        for page in files.pages(manifest, file, below):
            assert page.batch.schema.equals(LISTING_SCHEMA)
            page.batch.validate(full=True)
            columns = [page.batch.column("key"), page.batch.column("size"), page.batch.column("mtime")]
            found += zip(
                *(
                    column.cast(kind).to_pylist()
                    for column, kind in zip(columns, ("large_binary", "int64", "int64"), strict=True)
                ),
                strict=True,
            )
    return sorted(found)


def refusal(root: Path, report: Report) -> str:
    with pytest.raises(ReportError) as caught:
        told(root, report)
    return str(caught.value)


def broken(root: Path, report: Report, body: bytes) -> str:
    """Put ``body`` in place of the first data file, with a manifest that fits; return the refusal."""
    with_body(into(root), report, body)
    reason = refusal(root, report)
    assert reason.startswith(report.files[0])
    return reason
