"""One ListObjectsV2 answer read straight from its bytes into Arrow columns, and doubted where it can be.

Format: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html. The page is never turned
into one object per key: numpy finds every ``<``, the eight bytes there name the tag, and Arrow gathers the
text between tags. That accepts any order of elements and any optional ones (AWS, MinIO, Ceph, moto); what it
cannot vouch for is read again by a real XML parser (``xml.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.columns import PageError, decoded, gathered, instants, integers, texts, values
from recon.adapters.s3.xml import Document, parse

#: A declared encoding other than UTF-8 is the XML parser's work.
_FOREIGN = re.compile(rb"<\?xml[^>]*encoding=[\"'](?!utf-8[\"'])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListPage:
    """What one answer lists: keys as the bucket spells them (bytes), and where the next page begins.

    ``token`` is None on the last page. ``keys``, ``sizes`` and ``mtimes`` are of one length.
    """

    keys: pa.Array[Any]
    sizes: pa.Array[Any]
    mtimes: pa.Array[Any]
    prefixes: tuple[bytes, ...]
    token: bytes | None


def read_page(body: bytes) -> ListPage:
    """Return what ``body`` lists; raise ``PageError`` where it contradicts itself or cannot be read."""
    page = None if _FOREIGN.match(body) else _scanned(body)
    return page or _parsed(parse(body))


class _Tags:
    """Every ``<`` of a page, with the eight bytes that start there (``names``) as one integer each."""

    def __init__(self, body: bytes) -> None:
        padded = body + bytes(8)
        self.body = body
        self.at = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("<"))
        windows: npt.NDArray[np.uint64] = np.ndarray((len(body),), "<u8", padded, 0, (1,))
        self.names = windows[self.at]

    def find(self, tag: bytes) -> npt.NDArray[np.intp]:
        """Return the positions among the tags where ``tag`` stands (its first eight bytes decide)."""
        return np.flatnonzero(self.match(self.names, tag))

    def are(self, places: npt.NDArray[np.intp], tag: bytes) -> bool:
        """Return whether ``tag`` stands at every one of ``places`` (positions among the tags)."""
        return bool(self.match(self.names[places], tag).all())

    @staticmethod
    def match(names: npt.NDArray[np.uint64], tag: bytes) -> npt.NDArray[np.bool_]:
        """Return which of ``names`` spell ``tag``, or its first eight bytes."""
        wanted = np.uint64(int.from_bytes(tag[:8], "little"))
        shown = names if len(tag) >= 8 else names & np.uint64((1 << (8 * len(tag))) - 1)
        found: npt.NDArray[np.bool_] = shown == wanted
        return found

    def text(self, name: bytes) -> bytes | None:
        """Return the only ``<name>`` element's text; None when it is absent, twice there, or not plain."""
        found = self.find(b"<" + name + b">")
        if len(found) != 1 or found[0] + 1 >= len(self.at):
            return None
        start, stop = int(self.at[found[0]]), int(self.at[found[0] + 1])
        opening = b"<" + name + b">"
        plain = self.body.startswith(opening, start) and self.body.startswith(b"</" + name + b">", stop)
        text = self.body[start + len(opening) : stop]
        return None if not plain or b"&" in text else text


def _scanned(body: bytes) -> ListPage | None:
    """Return the page by the fast way, or None when anything about it is not plain."""
    tags = _Tags(body)
    count, truncated = tags.text(b"KeyCount"), tags.text(b"IsTruncated")
    if len(tags.find(b"<!")) or count is None or not count.isdigit() or truncated not in {b"true", b"false"}:
        return None
    token = tags.text(b"NextContinuationToken") if truncated == b"true" else None
    columns = _entries(tags)
    prefixes = _prefixes(tags)
    plain = columns is not None and prefixes is not None and (token or truncated == b"false")
    if columns is None or prefixes is None or not plain or len(columns[0]) + len(prefixes) != int(count):
        return None
    keys, mtimes, sizes = columns
    if tags.text(b"EncodingType") == b"url":
        keys, prefixes = decoded(keys), decoded(prefixes)
    elif not _literal(keys) or not _literal(prefixes):
        return None
    return ListPage(keys, integers(sizes), instants(mtimes), tuple(values(prefixes)), token)


def _literal(column: pa.Array[Any]) -> bool:
    """Return whether texts that are not URL-encoded stand for themselves: no XML references, no CR."""
    return not pc.any(pc.match_substring_regex(column, "[&\r]")).as_py()


def _entries(
    tags: _Tags,
) -> tuple[pa.Array[Any], pa.Array[Any], pa.Array[Any]] | None:
    """Return key, time and size texts of the ``<Contents>``; None unless each holds exactly one of each."""
    opens, closes = tags.find(b"<Contents>"), tags.find(b"</Contents>")
    columns = []
    for name in (b"Key", b"LastModified", b"Size"):
        spans = _spans(tags, name, opens, closes)
        if spans is None:
            return None
        columns.append(spans)
    keys, mtimes, sizes = columns
    return gathered(tags.body, *keys), texts(tags.body, *mtimes), texts(tags.body, *sizes)


def _prefixes(tags: _Tags) -> pa.Array[Any] | None:
    """Return the texts of the ``<CommonPrefixes>``; None unless each holds exactly one ``<Prefix>``."""
    opens, closes = tags.find(b"<CommonPrefixes>"), tags.find(b"</CommonPrefixes>")
    spans = _spans(tags, b"Prefix", opens, closes, inside_only=True)
    return None if spans is None else gathered(tags.body, *spans)


def _spans(
    tags: _Tags,
    name: bytes,
    opens: npt.NDArray[np.intp],
    closes: npt.NDArray[np.intp],
    *,
    inside_only: bool = False,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Return where the texts of ``<name>`` start and stop, one in each open–close pair, or None."""
    opening, closing = b"<" + name + b">", b"</" + name + b">"
    found = tags.find(opening)
    if inside_only:
        # The page's own <Prefix> stands outside; its elements are told apart by what precedes them.
        found = found[np.isin(found - 1, opens)]
    if not len(found) == len(opens) == len(closes):
        return None
    if not len(found):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ends = found + 1
    paired = (opens < found).all() and (ends < closes).all() and (closes[:-1] < opens[1:]).all()
    starts, stops = tags.at[found] + len(opening), tags.at[ends] if paired else found
    return (starts, stops) if paired and tags.are(ends, closing) else None


def _parsed(document: Document) -> ListPage:
    """Return the page by the XML parser's reading; raise ``PageError`` where it is not right either."""
    listed = len(document.keys) + len(document.prefixes)
    if document.key_count is not None and document.key_count != listed:
        raise PageError(f"it holds {listed} entries and says KeyCount {document.key_count}")
    if document.truncated and not document.token:
        raise PageError("it is truncated (IsTruncated) and names no NextContinuationToken")
    keys: pa.Array[Any] = pa.array(document.keys, pa.large_binary())
    prefixes: pa.Array[Any] = pa.array(document.prefixes, pa.large_binary())
    if document.url_encoded:
        keys, prefixes = decoded(keys), decoded(prefixes)
    return ListPage(
        keys,
        integers(pa.array(document.sizes, pa.large_string())),
        instants(pa.array(document.mtimes, pa.large_string())),
        tuple(values(prefixes)),
        document.token if document.truncated else None,
    )
