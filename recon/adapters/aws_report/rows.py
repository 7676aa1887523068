"""A data file of a report, whatever its format, as batches of the objects that a bucket holds.

Of versioned buckets only the latest versions that are no delete markers are objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.aws_report.csv_rows import csv_batches
from recon.adapters.aws_report.orc_rows import orc_batches
from recon.adapters.aws_report.parquet_rows import parquet_batches
from recon.core.arrow import arrow_flags
from recon.core.aws_manifest import Format, Manifest
from recon.core.sketcher import UNTOLD
from recon.core.texts import TextError, shortened
from recon.errors import ReportError
from recon.ports import LISTING_SCHEMA

_BATCHES = {Format.CSV: csv_batches, Format.PARQUET: parquet_batches, Format.ORC: orc_batches}
#: Times its size that a file's columns may take in memory: real reports take about ten.
_UNPACKED_MAX = 500
_MTIME = LISTING_SCHEMA.field("mtime").type


def rows(path: Path, manifest: Manifest, root: bytes) -> Iterator[pa.RecordBatch]:
    """Yield the objects below ``root`` that one data file tells of, unsorted (``LISTING_SCHEMA``).

    Keys are relative to ``root``, byte-exact. A size or time that the report does not tell is ``UNTOLD``.

    Args:
        path: The file, whose size and MD5 were checked.
        manifest: The manifest that names it.
        root: The lake's folder in the bucket, with a slash at its end, or b"" for all of it.

    Raises:
        ReportError: The file is cut, damaged, or not what the manifest tells of it.
    """
    left = _UNPACKED_MAX * (path.stat().st_size + (1 << 16))
    try:
        for batch in _BATCHES[manifest.format](path, manifest):
            left -= batch.nbytes
            if left < 0:
                raise ReportError(f"it unpacks to more than {_UNPACKED_MAX} times its size")
            yield _below(_objects(batch), root)
    # What damage can make the readers raise, UnicodeDecodeError and the like included.
    except (pa.ArrowException, TextError, OSError, EOFError, ValueError, OverflowError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ReportError(f"it cannot be read as {manifest.format}: {reason}") from error


def _objects(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that are objects, as key, size and time."""
    names = batch.schema.names
    keep = _true(batch, "islatest") if "islatest" in names else None
    if "isdeletemarker" in names:
        marked = pc.invert(_true(batch, "isdeletemarker"))
        keep = marked if keep is None else pc.and_(keep, marked)
    if keep is not None and not pc.all(keep).as_py():
        batch = batch.filter(keep)
    key = batch.column("key").cast(pa.large_binary())
    lengths: pa.Array[Any] = pc.binary_length(key)  # type: ignore[call-overload] # the stubs know no large_binary
    if key.null_count or (len(key) and pc.min(lengths).as_py() < 1):
        raise ReportError("it holds rows without a key")
    size = _told(batch, "size", pa.int64())
    if len(size) and pc.min(size).as_py() < UNTOLD:
        raise ReportError("it holds negative sizes")
    mtime = _told(batch, "lastmodifieddate", pa.int64()).cast(_MTIME)
    return pa.RecordBatch.from_arrays([key, size, mtime], schema=LISTING_SCHEMA)


def _true(batch: pa.RecordBatch, name: str) -> pa.Array[Any]:
    """Return where a column of flags is true; one that is empty is an answer that cannot be used."""
    column = batch.column(name)
    if column.null_count:
        raise ReportError(f"it holds rows whose {name} is empty")
    return column


def _told(batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array[Any]:
    if name not in batch.schema.names:
        return pl.repeat(UNTOLD, batch.num_rows, dtype=pl.Int64, eager=True).to_arrow()
    column = batch.column(name).cast(kind)
    return pl.Series(column).fill_null(UNTOLD).to_arrow() if column.null_count else column


def _below(batch: pa.RecordBatch, root: bytes) -> pa.RecordBatch:
    """Return the rows whose keys lie below ``root``, without it; the folder's own marker is left out."""
    if not root:
        return batch
    keys = batch.column("key")
    inside = pl.Series(keys).bin.starts_with(root) & (pl.Series(keys).bin.size() > len(root))
    if not inside.all():
        batch = batch.filter(arrow_flags(inside.to_numpy()))
    return pa.RecordBatch.from_arrays(
        [shortened(batch.column("key"), len(root)), *batch.columns[1:]], schema=LISTING_SCHEMA
    )
