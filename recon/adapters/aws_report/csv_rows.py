"""A CSV data file: gzip, no header, its columns in the manifest's order, its keys URL-encoded."""

from __future__ import annotations

from collections.abc import Iterator
from csv import reader
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from recon.adapters.aws_report.columns import WANTED, timed
from recon.core.aws_manifest import Manifest
from recon.core.texts import decoded
from recon.errors import ReportError

#: Bytes inflated and parsed at once; a line must fit.
_BLOCK = 12 << 20
#: Compressed bytes read at once.
_PART = 1 << 18
#: Bytes that the first line must fit in: keys have 1,024 bytes at most, three times as many when encoded.
_LINE = 1 << 16
_TYPES = {
    "key": pa.large_binary(),
    "size": pa.int64(),
    "lastmodifieddate": pa.timestamp("ms", "UTC"),
    "islatest": pa.bool_(),
    "isdeletemarker": pa.bool_(),
}


def csv_batches(path: Path, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns of those that the manifest tells of, under their canonical names.

    An empty size or time is null. A line with more or fewer columns than were told, or with a value that is
    none, raises an Arrow error.
    """
    if not _begins(path, manifest):
        return
    wanted = [name for name in manifest.columns if name in WANTED]
    place = wanted.index("key")
    converted = csv.ConvertOptions(
        include_columns=wanted,
        column_types={name: _TYPES[name] for name in wanted},
        null_values=[""],
        true_values=["true"],
        false_values=["false"],
    )
    parsed = csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=False)
    read = csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=list(manifest.columns))
    for lines in _blocks(path):
        source: Any = pa.BufferReader(lines)  # the stubs know no Arrow file as input
        for batch in csv.read_csv(source, read, parsed, converted).to_batches():
            yield timed(batch.set_column(place, "key", decoded(batch.column(place))))


def _blocks(path: Path) -> Iterator[memoryview]:
    """Yield whole lines, about a block at a time; each is overwritten when the next is asked for.

    pyarrow's own streaming reader would read 32 blocks ahead.
    """
    block = bytearray(_BLOCK)
    view, filled = memoryview(block), 0
    with _inflated(path) as stream:
        while got := stream.readinto(view[filled:]):
            filled += got
            if filled < len(block):
                continue
            end = block.rfind(b"\n") + 1
            if not end:
                raise ReportError(f"it cannot be read as CSV: a line has more than {len(block):,} bytes")
            yield view[:end]
            filled -= end
            block[:filled] = view[end : end + filled]
    if filled:
        yield view[:filled]


def _begins(path: Path, manifest: Manifest) -> bool:
    """Tell whether a file has lines; raise ``ReportError`` where the first is no object of the bucket.

    Nothing else in a CSV file says what its columns are: a header, or another order of columns, shows here.
    """
    if not path.stat().st_size:
        raise ReportError("it cannot be read as CSV: it is no gzip, but empty")
    with _inflated(path) as stream:
        start: bytes = stream.read(_LINE)
    if not start:
        return False
    line = next(reader([start.decode("utf-8", "replace").splitlines()[0]], strict=False))
    told = dict(zip(manifest.columns, line, strict=False))
    if told.get("bucket", manifest.source_bucket) != manifest.source_bucket:
        raise ReportError(
            f"its first line is of the bucket {told['bucket'][:80]!r}, not of {manifest.source_bucket!r}: "
            f"it has a header, or other columns than its manifest tells ({', '.join(manifest.columns)})"
        )
    return True


def _inflated(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression="gzip", buffer_size=_PART)
