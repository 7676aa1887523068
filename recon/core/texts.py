"""Texts as Arrow columns: gathered from bytes, URL-decoded, read as numbers and times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

#: Positions in bytes.
Places = npt.NDArray[np.int64]

_HEX = "0123456789abcdefABCDEF"
_PAIRS = [high + low for high in _HEX for low in _HEX]
#: The byte that each pair of hexadecimal digits stands for, by the pair as one number; -1 for other pairs.
_ESCAPED = np.full(1 << 16, -1, np.int16)
_ESCAPED[np.frombuffer("".join(_PAIRS).encode(), "<u2")] = [int(pair, 16) for pair in _PAIRS]


class TextError(Exception):
    """Raised when a text is not what it should be; the message says how."""


def binaries(texts: Sequence[bytes]) -> pa.Array[Any]:
    """Return a few texts as a column; ``pa.array`` would import pandas: 0.2 s and 36 MB in each process."""
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    buffers = [None, _buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.large_binary(), len(texts), buffers)


def gathered(body: bytes, starts: Places, stops: Places) -> pa.Array[Any]:
    """Return the bytes of ``body`` between ascending, disjoint ``starts`` and ``stops``, in fresh buffers."""
    return _between(body, starts, stops, pa.large_binary())


def texts(body: bytes, starts: Places, stops: Places) -> pa.Array[Any]:
    """Return the same as ``gathered`` as text; only for what a cast reads next (UTF-8 is not checked)."""
    return _between(body, starts, stops, pa.large_string())


def _between(body: bytes | memoryview, starts: Places, stops: Places, kind: pa.DataType) -> pa.Array[Any]:
    if not len(starts):
        return _nothing(kind)
    # Arrow offsets are shared by neighbours: the wanted texts are the even ones, the bytes between the odd.
    offsets = np.empty(2 * len(starts) + 1, np.int64)
    offsets[:-1:2], offsets[1::2], offsets[-1] = starts, stops, stops[-1]
    around: pa.Array[Any] = pa.Array.from_buffers(
        kind, len(offsets) - 1, [None, _buffer(offsets), pa.py_buffer(body)]
    )
    return around.take(_evens(len(starts)))


@lru_cache(maxsize=4)
def _nothing(kind: pa.DataType) -> pa.Array[Any]:
    return binaries(()).cast(kind)


@lru_cache(maxsize=4)
def _evens(count: int) -> pa.Array[Any]:
    """Return 0, 2, 4 …; most pages are of one length, so these are too."""
    return pa.Array.from_buffers(pa.int64(), count, [None, _buffer(np.arange(0, 2 * count, 2))])


def decoded(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return URL-decoded texts (``+`` is a space); raise ``TextError`` on a broken escape."""
    if not len(column):
        return column
    data, offsets = _buffers(column)
    escapes = (data == ord("%")).nonzero()[0]
    spaces = data == ord("+")
    spaced = spaces.any()
    if not len(escapes) and not spaced:
        return column
    data = data.copy()
    if spaced:
        data[spaces] = ord(" ")
    before = _places_before(escapes, offsets)
    if before is None:
        raise TextError("a key ends inside a %-escape")
    found = _ESCAPED[np.ndarray((max(0, len(data) - 1),), "<u2", data, 0, (1,))[escapes + 1]]
    if (found < 0).any():
        raise TextError("a key holds a % that is not an escape, though keys are URL-encoded here")
    data[escapes] = found
    keep = np.ones(len(data), bool)
    keep[escapes + 1] = keep[escapes + 2] = False
    offsets = offsets - 2 * before
    # Polars filters bytes twice as fast as numpy.
    left = pl.Series(data).filter(pl.Series(keep)).to_numpy()
    buffers = [None, _buffer(offsets), _buffer(left)]
    return pa.Array.from_buffers(pa.large_binary(), len(column), buffers)


def _places_before(escapes: Places, offsets: Places) -> Places | None:
    """Return how many escapes begin before each offset; None when one does not end inside its own text."""
    rows = len(offsets) - 1
    each = len(escapes) // rows
    if each and each * rows == len(escapes):
        # Often all keys hold as many: then each row of a table of them must lie in its own text.
        table = escapes.reshape(rows, each)
        if (table[:, 0] >= offsets[:-1]).all() and (table[:, -1] + 3 <= offsets[1:]).all():
            return np.arange(rows + 1) * each
    before = np.searchsorted(escapes, offsets)
    ended = before > 0
    # The last escape before a text's end must begin three bytes before it.
    return None if (escapes[before[ended] - 1] + 3 > offsets[ended]).any() else before


def shortened(column: pa.Array[Any], width: int) -> pa.Array[Any]:
    """Return texts without their first ``width`` bytes; each text must be at least that long."""
    if not width or not len(column):
        return column
    data, offsets = _buffers(column)
    return _between(data.data, offsets[:-1] + width, offsets[1:], pa.large_binary())


def values(column: pa.Array[Any]) -> list[bytes]:
    """Return a column of texts (never null) as Python bytes: for the few, not for a page's keys."""
    found: list[bytes] = column.to_pylist()  # type: ignore[assignment] # the stubs know no non-null array
    return found


def _buffers(column: pa.Array[Any]) -> tuple[npt.NDArray[np.uint8], Places]:
    _, offsets, data = column.buffers()
    places = np.zeros(1, np.int64)
    if offsets:
        places = np.frombuffer(memoryview(offsets), np.int64, len(column) + 1, 8 * column.offset)
    return np.frombuffer(memoryview(data or b""), np.uint8)[: places[-1]], places


def _buffer(array: npt.NDArray[Any]) -> pa.Buffer:
    return pa.py_buffer(array)  # type: ignore[arg-type] # numpy's stubs do not say that arrays are buffers


def integers(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return sizes in bytes; raise ``TextError`` on anything but decimal digits."""
    try:
        sizes = column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise TextError(f"a Size is no number: {error}") from error
    if len(sizes) and pc.min(sizes).as_py() < 0:
        raise TextError("a Size is negative")
    return sizes


def instants(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return ISO 8601 times as UTC milliseconds, finer parts cut off; raise ``TextError`` on others."""
    try:
        return column.cast(pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False)
    except pa.ArrowInvalid as error:
        raise TextError(f"a LastModified is no ISO 8601 time: {error}") from error
