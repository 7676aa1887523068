"""One ListObjectsV2 answer read straight from its bytes into Arrow columns, and doubted where it can be.

Format: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html. The page is never turned
into one object per key: numpy finds every ``<``, the tags there are told by their bytes, and Arrow gathers
the text between tags. Entries that are all alike are read by the first one's tags (``run.py``), others tag by
tag (``tags.py``); both accept any order of elements and any optional ones (AWS, MinIO, Ceph, moto). What they
cannot vouch for is read again by a real XML parser (``xml.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.run import run
from recon.adapters.s3.tags import Places, Tags, places
from recon.adapters.s3.xml import Document, PageError, parse
from recon.core.texts import binaries, decoded, gathered, instants, integers, texts, values

#: How every whole listing ends.
LISTING_END = b"</ListBucketResult>"
#: Where texts start and stop in a page.
Span = tuple[Places, Places]
#: What is read of an entry.
_ENTRY = (b"Key", b"LastModified", b"Size")
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
    """Return what ``body`` lists; raise ``TextError`` where it contradicts itself or cannot be read."""
    page = _scanned(body) if body.rstrip().endswith(LISTING_END) and not _FOREIGN.match(body) else None
    return page or _parsed(parse(body))


def _scanned(body: bytes) -> ListPage | None:
    """Return the page by the fast way, or None when anything about it is not plain."""
    at = places(body)
    alike = run(body, at)
    if alike is not None:
        entries = [alike.texts(name) for name in _ENTRY]
        return _gathered(body, alike.text, alike.count, [*entries, (at[:0], at[:0])])
    tags = Tags(body, at)
    contents, folders = tags.entries(b"Contents"), tags.entries(b"CommonPrefixes")
    # CDATA, comments and document types change what tags mean.
    if contents is None or folders is None or len(tags.find(b"<!")):
        return None
    spans = [*(tags.texts(name, contents) for name in _ENTRY), tags.texts(b"Prefix", folders)]
    return _gathered(body, tags.text, len(contents[0]) + len(folders[0]), spans)


def _gathered(
    body: bytes, text: Callable[[bytes], bytes | None], count: int, found: list[Span | None]
) -> ListPage | None:
    """Return the page of the texts at ``found`` (key, time, size, folder); None when they are not plain.

    ``text`` returns the page's own elements, ``count`` is how many entries it holds.
    """
    spans = [span for span in found if span is not None]
    truncated = text(b"IsTruncated")
    token = text(b"NextContinuationToken") if truncated == b"true" else None
    if len(spans) < len(found) or text(b"KeyCount") != b"%d" % count or not (token or truncated == b"false"):
        return None
    keys, prefixes = gathered(body, *spans[0]), gathered(body, *spans[3])
    if text(b"EncodingType") == b"url":
        keys, prefixes = decoded(keys), decoded(prefixes)
    elif not (_literal(keys) and _literal(prefixes)):
        return None
    mtimes, sizes = instants(texts(body, *spans[1])), integers(texts(body, *spans[2]))
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
    keys, prefixes = binaries(document.keys), binaries(document.prefixes)
    if document.url_encoded:
        keys, prefixes = decoded(keys), decoded(prefixes)
    return ListPage(
        keys,
        integers(binaries(document.sizes).cast(pa.large_string())),
        instants(binaries(document.mtimes).cast(pa.large_string())),
        tuple(values(prefixes)),
        document.token if document.truncated else None,
    )
