"""An ORC data file, a few ten thousand rows at a time; its times carry no zone and are UTC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import fs, orc

from recon.adapters.aws_report.columns import WANTED, canonical, named
from recon.core.aws_manifest import Manifest

_ROWS = 1 << 16


def orc_batches(path: Path, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns under their canonical names."""
    # Only this reads a stripe in parts (one may hold millions of rows); it imports pandas, so not before.
    from pyarrow.dataset import OrcFileFormat  # noqa: PLC0415

    file = orc.ORCFile(path)
    names = canonical(file.schema, manifest.columns)
    wanted = [own for own, name in names.items() if name in WANTED]
    fragment = OrcFileFormat().make_fragment(str(path), filesystem=fs.LocalFileSystem())
    scanner = fragment.scanner(columns=wanted, batch_size=_ROWS, batch_readahead=1, use_threads=False)
    yield from named(scanner.to_batches(), names, file.nrows, path)
