"""A page of keys held against the range it was asked for."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recon.adapters.s3.page import ListPage
from recon.core.texts import binaries, shortened, values
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA


def is_empty(span: KeyRange) -> bool:
    """Return whether no key can lie in ``span``."""
    return span.end is not None and (span.end <= span.start_after or span.end < span.prefix)


def disorder(keys: pa.Array[Any], prefix: bytes, above: bytes | None) -> str:
    """Return what is wrong with ``keys`` that should ascend above ``above`` within ``prefix``, or ''."""
    if not len(keys):
        return ""
    first, last = keys[0].as_py(), keys[-1].as_py()
    if pc.any(pc.greater_equal(keys[:-1], keys[1:])).as_py():
        return "its keys do not ascend in byte order"
    if above is not None and first <= above:
        return f"it begins with {first!r}, not above {above!r} where it was asked to begin"
    # In ascending order, two keys with one prefix hold only keys with that prefix between them.
    if not (first.startswith(prefix) and last.startswith(prefix)):
        return f"it holds keys outside the prefix {prefix!r}"
    return ""


def all_inside(keys: pa.Array[Any], prefix: bytes) -> bool:
    """Return whether each of ``keys``, in whatever order, starts with ``prefix``."""
    return all(key.startswith(prefix) for key in values(keys))


def beyond_level(page: ListPage, asked: bytes) -> str:
    """Return what contradicts one delimiter level below ``asked``, or ''."""
    if pc.any(pc.match_substring(shortened(page.keys, len(asked)), "/")).as_py():
        return "it holds keys below its own prefixes"
    if any(child.find(b"/", len(asked)) != len(child) - 1 for child in page.prefixes):
        return "it holds prefixes that are not one level deep"
    return ""


def last(keys: pa.Array[Any], before: bytes | None) -> bytes | None:
    """Return the last of ``keys``, or ``before`` when there are none."""
    found: bytes | None = keys[-1].as_py() if len(keys) else before
    return found


def relative(page: ListPage, root: bytes) -> pa.RecordBatch:
    """Return the page's objects with keys below ``root``, which all of them start with.

    The object whose key is ``root`` itself (a folder marker) has no key below it and is left out.
    """
    batch = pa.RecordBatch.from_arrays(
        [shortened(page.keys, len(root)), page.sizes, page.mtimes], schema=LISTING_SCHEMA
    )
    marker = batch.num_rows and not len(batch.column(0)[0].as_py())
    return batch.slice(1) if marker else batch


def up_to(batch: pa.RecordBatch, end: bytes | None) -> tuple[pa.RecordBatch, bool]:
    """Return the rows with keys up to ``end`` (inclusive), and whether ``end`` was reached."""
    if end is None or not batch.num_rows or batch.column(0)[-1].as_py() < end:
        return batch, False
    return batch.filter(pc.less_equal(batch.column(0), _scalar(end))), True


def sorted_inside(batches: list[pa.RecordBatch], span: KeyRange) -> pa.RecordBatch:
    """Return the rows inside ``span``, sorted by key, each key once (its newest row)."""
    table = pa.Table.from_batches(batches, LISTING_SCHEMA)
    key = table.column("key")
    inside = pc.greater(key, _scalar(span.start_after))
    if span.end is not None:
        inside = pc.and_(inside, pc.less_equal(key, _scalar(span.end)))
    table = table.filter(inside).sort_by([("key", "ascending"), ("mtime", "descending")]).combine_chunks()
    keys = table.column("key").combine_chunks()
    first = [pc.equal(keys[:1], keys[:1]), pc.not_equal(keys[1:], keys[:-1])]
    columns = table.filter(pa.concat_arrays(first)).combine_chunks().columns
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in columns], schema=LISTING_SCHEMA)


def _scalar(key: bytes) -> pa.Scalar[Any]:
    scalar: pa.Scalar[Any] = binaries([key])[0]
    return scalar
