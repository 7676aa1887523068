"""A Parquet data file, a few ten thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recon.adapters.aws_report.columns import WANTED, canonical, named
from recon.core.aws_manifest import Manifest

_ROWS = 1 << 17
#: Bytes of a column that are read at once: unbuffered, a row group's whole column would be.
_BUFFER = 1 << 20


def parquet_batches(path: Path, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns under their canonical names, by the file's own schema."""
    # Checksums of pages are checked where the writer left any.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True) as file:
        names = canonical(file.schema_arrow, manifest.columns)
        wanted = [own for own, name in names.items() if name in WANTED]
        batches = file.iter_batches(_ROWS, columns=wanted, use_threads=False)
        yield from named(batches, names, file.metadata.num_rows, path)
