"""The texts of one page as Arrow columns: gathered from its bytes, URL-decoded, read as numbers and times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.tags import Places

_HEX = "0123456789abcdefABCDEF"
_PAIRS = [high + low for high in _HEX for low in _HEX]
#: The byte that each pair of hexadecimal digits stands for, by the pair as one number; -1 for other pairs.
_ESCAPED = np.full(1 << 16, -1, np.int16)
_ESCAPED[np.frombuffer("".join(_PAIRS).encode(), "<u2")] = [int(pair, 16) for pair in _PAIRS]


class PageError(Exception):
    """Raised when an answer is no listing, or one that contradicts itself; the message says how."""


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
    """Return URL-decoded texts (``+`` is a space); raise ``PageError`` on a broken escape."""
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
    before = np.searchsorted(escapes, offsets)
    # An escape must end inside its own text: the last one before a text's end, three bytes before it.
    ended = before > 0
    if (escapes[before[ended] - 1] + 3 > offsets[ended]).any():
        raise PageError("a key ends inside a %-escape")
    found = _ESCAPED[np.ndarray((max(0, len(data) - 1),), "<u2", data, 0, (1,))[escapes + 1]]
    if (found < 0).any():
        raise PageError("a key holds a % that is not an escape, though the answer says EncodingType url")
    data[escapes] = found
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
