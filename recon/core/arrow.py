"""Arrow columns as numpy arrays and back, without copies and without pandas.

pyarrow imports pandas (0.15 CPU s and 35 MB a process) wherever it meets a Python or numpy value; these
functions take the ways that do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def integers(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> NDArray[np.int64]:
    """Return a column of whole numbers or instants without nulls as int64 (instants in their own unit)."""
    return np.asarray(np.from_dlpack(one_chunk(column).cast(pa.int64())), dtype=np.int64)


def one_chunk(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """Return a column in one piece; copied only where it is in several."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        whole: pa.Array[Any] = column.chunks[0]
        return whole
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def flags(column: pa.Array[Any]) -> NDArray[np.bool_]:
    """Return a column of booleans without nulls."""
    return np.from_dlpack(pc.cast(column, pa.uint8())).view(np.bool_)


def arrow_flags(mask: NDArray[np.bool_]) -> pa.Array[Any]:
    """Return booleans as an Arrow column."""
    column: pa.Array[Any] = pl.Series(mask).to_arrow()
    return column
