"""The texts of one page as Arrow columns: gathered from its bytes, URL-decoded, read as numbers and times."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.tags import Places

#: The value of each hexadecimal digit by its byte; 255 for every other byte.
_HEX = np.full(256, 255, np.uint8)
_HEX[list(b"0123456789")] = range(10)
_HEX[list(b"abcdef")] = range(10, 16)
_HEX[list(b"ABCDEF")] = range(10, 16)


class PageError(Exception):
    """Raised when an answer is no listing, or one that contradicts itself; the message says how."""


def gathered(body: bytes, starts: Places, stops: Places) -> pa.Array[Any]:
    """Return the bytes of ``body`` between ascending, disjoint ``starts`` and ``stops``, in fresh buffers."""
    return _between(body, starts, stops, pa.large_binary())


def texts(body: bytes, starts: Places, stops: Places) -> pa.Array[Any]:
    """Return the same as ``gathered`` as text; only for what a cast reads next (UTF-8 is not checked)."""
    return _between(body, starts, stops, pa.large_string())


def _between(body: bytes | memoryview, starts: Places, stops: Places, kind: pa.DataType) -> pa.Array[Any]:
    # Arrow offsets are shared by neighbours: the wanted texts are the even ones, the bytes between the odd.
    offsets = np.empty(2 * len(starts) + 1, np.int64)
    offsets[:-1:2], offsets[1::2], offsets[-1] = starts, stops, stops[-1] if len(stops) else 0
    around: pa.Array[Any] = pa.Array.from_buffers(
        kind, len(offsets) - 1, [None, _buffer(offsets), pa.py_buffer(body)]
    )
    return around.take(pa.array(np.arange(0, len(offsets) - 1, 2), pa.int64()))


def decoded(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return URL-decoded texts (``+`` is a space); raise ``PageError`` on a broken escape."""
    data, offsets = _buffers(column)
    escapes = (data == ord("%")).nonzero()[0]
    spaces = (data == ord("+")).nonzero()[0]
    if not len(escapes) and not len(spaces):
        return column
    data = data.copy()
    data[spaces] = ord(" ")
    before = np.searchsorted(escapes, offsets)
    # An escape must end inside its own text: the last one before a text's end, three bytes before it.
    ended = before > 0
    if (escapes[before[ended] - 1] + 3 > offsets[ended]).any():
        raise PageError("a key ends inside a %-escape")
    high, low = _HEX[data[escapes + 1]], _HEX[data[escapes + 2]]
    if (high == 255).any() or (low == 255).any():
        raise PageError("a key holds a % that is not an escape, though the answer says EncodingType url")
    data[escapes] = high * 16 + low
    keep = np.ones(len(data), bool)
    keep[escapes + 1] = keep[escapes + 2] = False
    offsets = offsets - 2 * before
    buffers = [None, _buffer(offsets), _buffer(data[keep])]
    return pa.Array.from_buffers(pa.large_binary(), len(column), buffers)


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
    """Return sizes in bytes; raise ``PageError`` on anything but decimal digits."""
    try:
        sizes = column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise PageError(f"a Size is no number: {error}") from error
    if len(sizes) and pc.min(sizes).as_py() < 0:
        raise PageError("a Size is negative")
    return sizes


def instants(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return ISO 8601 times as UTC milliseconds, finer parts cut off; raise ``PageError`` on others."""
    try:
        return column.cast(pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False)
    except pa.ArrowInvalid as error:
        raise PageError(f"a LastModified is no ISO 8601 time: {error}") from error
