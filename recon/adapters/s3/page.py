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

import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.columns import PageError, decoded, gathered, instants, integers, texts, values
from recon.adapters.s3.tags import Places, Tags
from recon.adapters.s3.xml import Document, parse

#: How every whole listing ends.
LISTING_END = b"</ListBucketResult>"
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
    page = _scanned(body) if body.rstrip().endswith(LISTING_END) and not _FOREIGN.match(body) else None
    return page or _parsed(parse(body))


def _scanned(body: bytes) -> ListPage | None:
    """Return the page by the fast way, or None when anything about it is not plain."""
    tags = Tags(body)
    count, truncated = tags.text(b"KeyCount"), tags.text(b"IsTruncated")
    contents, folders = tags.entries(b"Contents"), tags.entries(b"CommonPrefixes")
    if contents is None or folders is None or count != b"%d" % (len(contents[0]) + len(folders[0])):
        return None
    token = tags.text(b"NextContinuationToken") if truncated == b"true" else None
    if not token and truncated != b"false":
        return None
    found = [tags.texts(name, contents) for name in (b"Key", b"LastModified", b"Size")]
    spans = [span for span in (*found, tags.texts(b"Prefix", folders)) if span is not None]
    # CDATA, comments and document types change what tags mean.
    if len(spans) < 4 or len(tags.find(b"<!")):
        return None
    return _gathered(tags, spans, token)


def _gathered(tags: Tags, spans: list[tuple[Places, Places]], token: bytes | None) -> ListPage | None:
    """Return the page of the texts at ``spans`` (key, time, size, prefix), or None for keys as XML text."""
    keys, prefixes = gathered(tags.body, *spans[0]), gathered(tags.body, *spans[3])
    if tags.text(b"EncodingType") == b"url":
        keys, prefixes = decoded(keys), decoded(prefixes)
    elif not (_literal(keys) and _literal(prefixes)):
        return None
    mtimes, sizes = instants(texts(tags.body, *spans[1])), integers(texts(tags.body, *spans[2]))
    return ListPage(keys, sizes, mtimes, tuple(values(prefixes)), token)


def _literal(column: pa.Array[Any]) -> bool:
    """Return whether texts that are not URL-encoded stand for themselves: no XML references, no CR."""
    return not pc.any(pc.match_substring_regex(column, "[&\r]")).as_py()


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
