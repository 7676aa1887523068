"""A manifest counts only when everything in it holds; what does not is named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from aws_reports import CURRENT, VERSIONS, file_schema

from recon.core.aws_manifest import DataFile, Format, Manifest, check_origin, column, read_manifest
from recon.errors import ReportError

AT = datetime(2025, 11, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FILE = {"key": "inv/lake/daily/data/a.parquet", "size": 7, "MD5checksum": "0123456789abcdef" * 2}


def document(**changes: object) -> dict[str, object]:
    return {
        "sourceBucket": "lake",
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": str(round(AT.timestamp() * 1000)),
        "fileFormat": "Parquet",
        "fileSchema": file_schema("Parquet", CURRENT),
        "files": [FILE],
        **changes,
    }


def read(told: object, checksum: bytes | None = None) -> Manifest:
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    md5 = hashlib.md5(content).hexdigest()
    return read_manifest(content, md5.encode() if checksum is None else checksum, md5)


def refusal(told: object, checksum: bytes | None = None) -> str:
    with pytest.raises(ReportError) as caught:
        read(told, checksum)
    return str(caught.value)


def test_a_manifest_says_what_its_report_holds():
    manifest = read(document())
    assert manifest.source_bucket == "lake"
    assert manifest.as_of == AT
    assert manifest.format is Format.PARQUET
    assert manifest.columns == ("bucket", "key", "size", "lastmodifieddate", "etag", "storageclass")
    assert manifest.files == (DataFile(FILE["key"], 7, FILE["MD5checksum"]),)
    assert not manifest.versioned


def test_an_instant_keeps_its_milliseconds():
    assert read(document(creationTimestamp="1514944800123")).as_of.microsecond == 123_000


@pytest.mark.parametrize("spelling", ["own", "struct"])
@pytest.mark.parametrize("kind", ["CSV", "Parquet", "ORC"])
@pytest.mark.parametrize("columns", [CURRENT, VERSIONS, ("key", "bucket"), (*VERSIONS[::-1],)])
def test_every_spelling_of_a_schema_names_the_same_columns_in_its_order(kind, spelling, columns):
    told = document(fileFormat=kind, fileSchema=file_schema(kind, columns, spelling))
    assert read(told).columns == tuple(name.replace("_", "") for name in columns)


def test_columns_are_one_in_all_their_spellings():
    assert {column(name) for name in ("LastModifiedDate", "last_modified_date", " Last Modified Date")} == {
        "lastmodifieddate"
    }


def test_a_report_with_is_latest_is_versioned():
    assert read(document(fileSchema=file_schema("Parquet", VERSIONS))).versioned


def test_whitespace_and_capitals_in_a_checksum_do_not_matter():
    content = json.dumps(document()).encode()
    md5 = hashlib.md5(content).hexdigest()
    assert read_manifest(content, f" {md5.upper()}\r\n".encode(), md5).source_bucket == "lake"


@pytest.mark.parametrize("checksum", [b"", b"\n", b"not yet", b"0" * 31, b"\xff" * 32])
def test_a_checksum_that_is_none_is_refused(checksum):
    assert refusal(document(), checksum) == "manifest.checksum holds no MD5"


def test_another_checksum_is_refused():
    assert "manifest.json does not have the MD5" in refusal(document(), b"0" * 32)


def test_a_half_written_manifest_is_refused():
    content = json.dumps(document()).encode()
    assert "no JSON" in refusal(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        ([], "no JSON object"),
        (document(version="2030-01-01"), "version '2030-01-01'"),
        (document(version=None), "version 'None'"),
        (document(sourceBucket=None), "no sourceBucket"),
        (document(sourceBucket=7), "no sourceBucket"),
        (document(creationTimestamp=None), "no creationTimestamp"),
        (document(creationTimestamp="yesterday"), "no creationTimestamp"),
        (document(creationTimestamp="9" * 30), "no creationTimestamp"),
        (document(fileFormat="Avro"), "fileFormat 'Avro'"),
        (document(fileFormat=None), "no fileFormat"),
        (document(fileSchema=""), "no fileSchema"),
        (document(fileSchema="key string, size bigint"), "fileSchema without one Key"),
        (document(fileSchema="struct<bucket:string,size:bigint>"), "fileSchema without one Key"),
        (document(fileSchema="struct<key:string,key:string>"), "fileSchema without one Key"),
        (document(fileFormat="CSV", fileSchema="Bucket, Size"), "fileSchema without one Key"),
        (document(fileSchema="struct<bucket:string,key:string,version_id:string>"), "without IsLatest"),
        (document(files=None), "lists no files"),
        (document(files=[]), "lists no files"),
        (document(files={}), "lists no files"),
        (document(files=["a.csv"]), "no JSON object"),
        (document(files=[FILE, FILE]), "lists a file twice"),
        (document(files=[FILE | {"key": ""}]), "a file without a key"),
        (document(files=[FILE | {"key": 1}]), "a file without a key"),
        (document(files=[FILE | {"size": "7"}]), f"{FILE['key']} without a size"),
        (document(files=[FILE | {"size": -1}]), f"{FILE['key']} without a size"),
        (document(files=[FILE | {"size": True}]), f"{FILE['key']} without a size"),
        (document(files=[FILE | {"MD5checksum": None}]), f"{FILE['key']} without a size"),
        (document(files=[FILE | {"MD5checksum": "0" * 31}]), f"{FILE['key']} without a size"),
    ],
)
def test_what_is_missing_or_malformed_is_named(told, reason):
    assert reason in refusal(told)


def manifest(at: datetime, bucket: str = "lake") -> Manifest:
    return Manifest(bucket, at, Format.CSV, ("bucket", "key"), (DataFile("a", 1, "0" * 32),))


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=47), timedelta(minutes=-4)])
def test_a_recent_report_of_the_bucket_may_be_used(age):
    check_origin(manifest(AT - age), "lake", AT, 2 * DAY)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (manifest(AT, "other"), "is of bucket 'other', not of 'lake'"),
        (manifest(AT + timedelta(minutes=6)), "is of the future (2025-11-01 01:06 UTC)"),
        (manifest(AT - 10 * DAY), "is 240 hours old, over s3.max_report_age (48 hours)"),
    ],
)
def test_another_bucket_the_future_and_old_age_are_refused(found, reason):
    with pytest.raises(ReportError) as caught:
        check_origin(found, "lake", AT, 2 * DAY)
    assert reason in str(caught.value)
