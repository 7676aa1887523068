"""The columns of a report that matter, under names that all formats share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from recon.core.aws_manifest import column
from recon.errors import ReportError

#: Rows that a byte of a file may stand for: real reports take several bytes a row.
_ROWS_PER_BYTE = 100
#: What is read of a report, by canonical name.
WANTED = ("key", "size", "lastmodifieddate", "islatest", "isdeletemarker")


def canonical(schema: pa.Schema, told: Sequence[str]) -> dict[str, str]:
    """Return the canonical name of each column; raise ``ReportError`` unless they are those told."""
    names = {own: column(own) for own in schema.names}
    if sorted(names.values()) != sorted(told):
        has, tells = ", ".join(names.values()), ", ".join(told)
        raise ReportError(f"it has the columns {has}, and its manifest tells {tells}")
    return names


def named(
    batches: Iterable[pa.RecordBatch], names: dict[str, str], rows: int, path: Path
) -> Iterator[pa.RecordBatch]:
    """Yield batches under canonical names; raise ``ReportError`` unless they hold ``rows`` rows."""
    size = path.stat().st_size
    if rows > _ROWS_PER_BYTE * size:
        raise ReportError(f"it tells {rows:,} rows in {size:,} bytes")
    found = 0
    for batch in batches:
        found += batch.num_rows
        yield timed(batch.rename_columns([names[own] for own in batch.schema.names]))
    if found != rows:
        raise ReportError(f"it tells {rows:,} rows, and holds {found:,}")


def timed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return times as milliseconds since 1970 in UTC, whatever their unit; the others as they are."""
    at = batch.schema.get_field_index("lastmodifieddate")
    if at < 0:
        return batch
    times = batch.column(at).cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
    return batch.set_column(at, "lastmodifieddate", times)
