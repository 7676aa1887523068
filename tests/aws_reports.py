"""Writes AWS S3 Inventory reports as AWS does: data files, manifest.json, manifest.checksum.

A report goes wherever ``put(key, body)`` puts it: a folder (``into``), or a server::

    write_report(into(folder), [rows(keys, sizes, times)], kind="Parquet", at=NOW)

Each frame becomes one data file, so millions of rows pass through one frame at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

Put = Callable[[str, bytes], None]

KINDS = ("CSV", "Parquet", "ORC")
#: Columns of a report of current versions, and of one of all versions.
CURRENT = ("bucket", "key", "size", "last_modified_date", "e_tag", "storage_class")
VERSIONS = (
    "bucket",
    "key",
    "version_id",
    "is_latest",
    "is_delete_marker",
    "size",
    "last_modified_date",
    "e_tag",
    "storage_class",
)
#: How each column is spelled in CSV, and its types in Parquet and ORC.
_SPELLED = {
    "bucket": ("Bucket", "required binary bucket (UTF8)", "string"),
    "key": ("Key", "required binary key (UTF8)", "string"),
    "version_id": ("VersionId", "optional binary version_id (UTF8)", "string"),
    "is_latest": ("IsLatest", "optional boolean is_latest", "boolean"),
    "is_delete_marker": ("IsDeleteMarker", "optional boolean is_delete_marker", "boolean"),
    "size": ("Size", "optional int64 size", "bigint"),
    "last_modified_date": (
        "LastModifiedDate",
        "optional int64 last_modified_date (TIMESTAMP_MILLIS)",
        "timestamp",
    ),
    "e_tag": ("ETag", "optional binary e_tag (UTF8)", "string"),
    "storage_class": ("StorageClass", "optional binary storage_class (UTF8)", "string"),
    "is_multipart_uploaded": (
        "IsMultipartUploaded",
        "optional boolean is_multipart_uploaded",
        "boolean",
    ),
    "replication_status": ("ReplicationStatus", "optional binary replication_status (UTF8)", "string"),
}
_SUFFIXES = {"CSV": "csv.gz", "Parquet": "parquet", "ORC": "orc"}
#: Bytes that AWS leaves alone in the keys of CSV reports; a space becomes a plus.
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*/"


@dataclass(frozen=True)
class Report:
    """Where a report was put, and what its manifest says (before anything is broken)."""

    folder: str
    document: dict[str, object]

    @property
    def manifest(self) -> str:
        return f"{self.folder}manifest.json"

    @property
    def files(self) -> list[str]:
        return [entry["key"] for entry in self.document["files"]]


@dataclass(frozen=True)
class Style:
    """What reports of one kind differ in."""

    columns: Sequence[str] = CURRENT
    #: "own" (message … of Parquet, struct<…> of ORC) or "struct" for both.
    spelling: str = "own"
    shuffle: bool = True
    level: int = 4
    row_group: int = 1 << 20
    checksums: bool = False
    more: dict[str, object] = field(default_factory=dict)


def rows(
    keys: Sequence[bytes],
    sizes: Sequence[int | None] | None = None,
    times: Sequence[int] | None = None,
    *,
    latest: Sequence[bool] | None = None,
    deleted: Sequence[bool] | None = None,
) -> pl.DataFrame:
    """Return rows of a report; times in milliseconds since 1970, a size of None is one not told."""
    count = len(keys)
    return pl.DataFrame(
        {
            "key": pl.Series(keys, dtype=pl.Binary),
            "size": pl.Series(range(count) if sizes is None else sizes, dtype=pl.Int64),
            "last_modified_date": pl.Series([0] * count if times is None else times, dtype=pl.Int64),
            "is_latest": pl.Series([True] * count if latest is None else latest, dtype=pl.Boolean),
            "is_delete_marker": pl.Series([False] * count if deleted is None else deleted, dtype=pl.Boolean),
        }
    )


def into(root: Path) -> Put:
    """Return a ``put`` that writes files below ``root``."""

    def put(key: str, body: bytes) -> None:
        path = root / os.fsdecode(key.encode())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return put


def write_report(
    put: Put,
    frames: Iterable[pl.DataFrame],
    *,
    kind: str,
    at: datetime,
    bucket: str = "lake",
    prefix: str = "inventory",
    config: str = "daily",
    style: Style | None = None,
) -> Report:
    """Write one report: data files first, then the manifest, then its checksum."""
    style = style or Style()
    base = f"{prefix}/{bucket}/{config}/" if prefix else f"{bucket}/{config}/"
    files = []
    for number, frame in enumerate(frames):
        shuffled = frame.sample(fraction=1, shuffle=True, seed=number) if style.shuffle else frame
        body = data_file(shuffled, kind, bucket, style)
        md5 = hashlib.md5(body).hexdigest()
        name = f"{base}data/{md5[:8]}-{number:04d}-{at:%Y%m%dT%H%M}.{_SUFFIXES[kind]}"
        put(name, body)
        files.append({"key": name, "size": len(body), "MD5checksum": md5})
    document = {
        "sourceBucket": bucket,
        "destinationBucket": "arn:aws:s3:::reports",
        "version": "2016-11-30",
        "creationTimestamp": str(round(at.timestamp() * 1000)),
        "fileFormat": kind,
        "fileSchema": file_schema(kind, style.columns, style.spelling),
        "files": files,
        **style.more,
    }
    folder = f"{base}{at.astimezone(UTC):%Y-%m-%dT%H-%MZ}/"
    put_manifest(put, folder, document)
    return Report(folder, document)


def put_manifest(put: Put, folder: str, document: object) -> None:
    """Write a manifest and the checksum that fits it."""
    content = document if isinstance(document, bytes) else json.dumps(document, indent=2).encode()
    put(f"{folder}manifest.json", content)
    put(f"{folder}manifest.checksum", hashlib.md5(content).hexdigest().encode() + b"\n")


def with_body(put: Put, report: Report, body: bytes, file: int = 0) -> None:
    """Replace one data file, with a manifest and a checksum that fit: only reading it can tell."""
    files = [dict(entry) for entry in report.document["files"]]
    files[file] |= {"size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}
    put(files[file]["key"], body)
    put_manifest(put, report.folder, report.document | {"files": files})


def file_schema(kind: str, columns: Sequence[str], spelling: str = "own") -> str:
    """Return ``fileSchema`` as AWS spells it for a format."""
    if kind == "CSV":
        return ", ".join(_SPELLED[name][0] for name in columns)
    if kind == "Parquet" and spelling == "own":
        return f"message s3.inventory {{ {' '.join(f'{_SPELLED[name][1]};' for name in columns)} }}"
    return f"struct<{','.join(f'{name}:{_SPELLED[name][2]}' for name in columns)}>"


def data_file(frame: pl.DataFrame, kind: str, bucket: str, style: Style) -> bytes:
    """Return one data file: gzipped CSV, Parquet (Snappy) or ORC (zlib, times without a zone)."""
    whole = _whole(frame, bucket)
    whole = whole.with_columns(pl.col("last_modified_date").cast(pl.Datetime("ms"))).select(style.columns)
    if kind == "CSV":
        return gzip.compress(csv_text(whole), style.level, mtime=0)
    arrow = pa.Table.from_arrays([_plain(whole[name]) for name in whole.columns], names=whole.columns)
    sink = io.BytesIO()
    if kind == "Parquet":
        pq.write_table(
            arrow,
            sink,
            compression="snappy",
            row_group_size=style.row_group,
            write_page_checksum=style.checksums,
        )
    else:
        orc.write_table(arrow, sink, compression="zlib", stripe_size=64 << 20)
    return sink.getvalue()


def csv_text(whole: pl.DataFrame) -> bytes:
    """Return lines as AWS writes them: every value quoted, keys URL-encoded, what is not told empty."""
    spelled = [_spelled_out(whole[name]) for name in whole.columns]
    return pl.DataFrame(spelled).write_csv(include_header=False, quote_style="always", null_value="").encode()


def url_encoded(keys: pl.Series) -> pl.Series:
    """Return keys (Binary) as Java's URLEncoder writes them, slashes left alone: ``+`` is a space."""
    arrow = keys.to_arrow().cast(pa.large_binary())
    _, offsets, data = arrow.buffers()
    places = np.frombuffer(offsets, np.int64, len(arrow) + 1, 8 * arrow.offset)
    first, end = int(places[0]), int(places[-1])
    text = bytes(data)[first:end] if data else b""
    wide = np.flatnonzero(_IS_CODED[np.frombuffer(text, np.uint8)])
    for byte in sorted(set(text) & set(_CODES), key=_turn):
        text = text.replace(bytes([byte]), _CODES[byte])
    fresh = places - first + 2 * np.searchsorted(wide, places - first)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(fresh)), pa.py_buffer(text)]
    return pl.Series(keys.name, pa.Array.from_buffers(pa.large_string(), len(arrow), buffers))


# quote leaves ~ alone, URLEncoder does not.
_CODES = {
    byte: b"%%%02X" % byte
    for byte in range(256)
    if byte == ord("~") or quote_from_bytes(bytes([byte]), _PLAIN)[0] == "%"
} | {ord(" "): b"+"}
_IS_CODED = np.array([len(_CODES.get(byte, b"")) == 3 for byte in range(256)])


def _turn(byte: int) -> int:
    """Put what codes are made of first, so that no code is coded again."""
    return -b"+%".find(byte)


def _whole(frame: pl.DataFrame, bucket: str) -> pl.DataFrame:
    """Return rows with every column that a report can have; those the frame has are kept."""
    gone = pl.col("is_delete_marker") if "is_delete_marker" in frame.columns else pl.lit(value=False)
    others = {
        "bucket": pl.lit(bucket),
        "version_id": pl.lit(""),
        "is_latest": pl.lit(value=True),
        "is_delete_marker": pl.lit(value=False),
        "e_tag": pl.when(gone).then(None).otherwise(pl.lit("d41d8cd98f00b204e9800998ecf8427e")),
        "storage_class": pl.when(gone).then(None).otherwise(pl.lit("STANDARD")),
        "is_multipart_uploaded": pl.lit(value=False),
        "replication_status": pl.lit(None, pl.String),
    }
    missing = [made.alias(name) for name, made in others.items() if name not in frame.columns]
    return frame.with_columns(missing).with_columns(pl.when(~gone).then("size").alias("size"))


def _plain(column: pl.Series) -> pa.Array:
    """Return a column with the types that other writers use: 32-bit texts, bytes as text."""
    arrow = column.to_arrow()
    if column.dtype in {pl.String, pl.Binary}:
        return arrow.cast(pa.large_binary()).cast(pa.binary()).cast(pa.string())
    return arrow


def _spelled_out(column: pl.Series) -> pl.Series:
    if column.name == "key":
        return url_encoded(column)
    if column.name == "last_modified_date":
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    return column.cast(pl.String) if column.dtype != pl.String else column
