"""The manifest of one AWS S3 Inventory report: what the report holds, and what speaks against it.

Format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from recon.errors import ReportError

#: Bytes of a manifest at most: about 100,000 files.
MANIFEST_MAX_BYTES = 16 << 20
#: Data files at most, a shard of the cycle each; AWS writes one for each million objects or so.
FILES_MAX = 20_000
#: A report may seem so much younger than this host's clock.
_CLOCKS_APART = timedelta(minutes=5)
_MD5 = re.compile(r"[0-9a-f]{32}")
_VERSION = "2016-11-30"


class Format(StrEnum):
    """How the data files are written; a report has one."""

    CSV = "CSV"
    ORC = "ORC"
    PARQUET = "Parquet"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file: its key in the destination bucket, its size in bytes, its MD5 in hex digits."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One report. ``as_of`` is when its scan of the bucket began; ``columns`` are names as in ``column``."""

    source_bucket: str
    as_of: datetime
    format: Format
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]

    @property
    def versioned(self) -> bool:
        """Tell whether rows may be of versions that are no longer the object."""
        return "islatest" in self.columns


def column(name: str) -> str:
    """Return a column's name in the spelling that all formats share.

    ``LastModifiedDate``, ``last_modified_date`` and ``Last Modified Date`` are one.
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read_manifest(content: bytes, checksum: bytes, md5: str) -> Manifest:
    """Return a manifest that holds together.

    Args:
        content: manifest.json.
        checksum: manifest.checksum, the MD5 of ``content`` as AWS wrote it.
        md5: the MD5 of ``content`` as it was read, in hex digits.

    Raises:
        ReportError: the checksum differs, or something is missing, malformed or of another version.
    """
    told = checksum.decode("ascii", "replace").strip().lower()
    if not _MD5.fullmatch(told):
        raise ReportError("manifest.checksum holds no MD5")
    if told != md5:
        raise ReportError("manifest.json does not have the MD5 that manifest.checksum tells")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"manifest.json is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ReportError("manifest.json holds no JSON object")
    version = document.get("version")
    if version != _VERSION:
        raise ReportError(f"manifest.json is of version {str(version)[:200]!r}; {_VERSION!r} can be read")
    kind = _format(document)
    return Manifest(
        _text(document, "sourceBucket"),
        _instant(document),
        kind,
        _columns(_text(document, "fileSchema"), kind),
        _files(document),
    )


def check_origin(manifest: Manifest, bucket: str, now: datetime, oldest: timedelta) -> None:
    """Raise ``ReportError`` where a report is of another bucket, of the future, or too old."""
    if manifest.source_bucket != bucket:
        raise ReportError(f"manifest.json is of bucket {manifest.source_bucket!r}, not of {bucket!r}")
    age = now - manifest.as_of
    if age < -_CLOCKS_APART:
        raise ReportError(f"manifest.json is of the future ({manifest.as_of:%Y-%m-%d %H:%M} UTC)")
    if age > oldest:
        hours, most = (span.total_seconds() / 3600 for span in (age, oldest))
        raise ReportError(f"it is {hours:.0f} hours old, over s3.max_report_age ({most:.0f} hours)")


def _format(document: Mapping[str, Any]) -> Format:
    told = _text(document, "fileFormat")
    try:
        return Format(told)
    except ValueError:
        raise ReportError(
            f"manifest.json tells fileFormat {told[:200]!r}; CSV, ORC or Parquet can be read"
        ) from None


def _instant(document: Mapping[str, Any]) -> datetime:
    told = str(document.get("creationTimestamp", ""))
    try:
        return datetime.fromtimestamp(int(told) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise ReportError(
            f"manifest.json tells no creationTimestamp in milliseconds: {told[:200]!r}"
        ) from None


def _columns(schema: str, kind: Format) -> tuple[str, ...]:
    if kind is Format.CSV:
        names = schema.split(",")
    elif schema.lstrip().startswith("struct<"):
        names = re.findall(r"[<,]\s*(\w+)\s*:", schema)
    else:
        names = re.findall(r"(?:required|optional)\s+\w+\s+(\w+)", schema)
    found = tuple(column(name) for name in names)
    if "key" not in found or len(set(found)) < len(found):
        raise ReportError(f"manifest.json tells a fileSchema without one Key column: {schema[:200]!r}")
    if {"versionid", "isdeletemarker"} & set(found) and "islatest" not in found:
        raise ReportError(
            "manifest.json tells a fileSchema of versions without IsLatest, which tells the object"
        )
    return found


def _files(document: Mapping[str, Any]) -> tuple[DataFile, ...]:
    listed = document.get("files")
    if not isinstance(listed, list) or not listed:
        raise ReportError("manifest.json lists no files")
    if len(listed) > FILES_MAX:
        raise ReportError(f"manifest.json lists {len(listed):,} files; at most {FILES_MAX:,} can be read")
    files = tuple(_file(entry) for entry in listed)
    if len({file.key for file in files}) < len(files):
        raise ReportError("manifest.json lists a file twice")
    return files


def _file(entry: object) -> DataFile:
    if not isinstance(entry, dict):
        raise ReportError("manifest.json lists a file that is no JSON object")
    key, size, md5 = entry.get("key"), entry.get("size"), str(entry.get("MD5checksum", "")).lower()
    if not isinstance(key, str) or not key:
        raise ReportError("manifest.json lists a file without a key")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not _MD5.fullmatch(md5):
        raise ReportError(f"manifest.json lists {key} without a size and an MD5checksum")
    return DataFile(key, size, md5)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ReportError(f"manifest.json has no {name}")
    return value
