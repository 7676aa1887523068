"""The lake on S3: pages of objects as Arrow batches, folders for splitting, single objects.

Outside names: GET Object and ListObjectsV2 (https://docs.aws.amazon.com/AmazonS3/latest/API/) with
``encoding-type=url``. Folder markers at the lake's own root are not lake data.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa

from recon.adapters.s3.client import Answer, S3Client
from recon.adapters.s3.page import ListPage, read_page
from recon.adapters.s3.probe import Probe, probe
from recon.adapters.s3.retry import Patience
from recon.adapters.s3.span import (
    all_inside,
    beyond_level,
    disorder,
    is_empty,
    last,
    relative,
    sorted_inside,
    up_to,
)
from recon.adapters.s3.told_time import told_time
from recon.core.lake_clock import nearest, skew_s
from recon.core.texts import TextError, binaries
from recon.errors import LakeError, ListingInvalidError, ListingOrderError
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA, Fetched, Folders, Order, Page, ReportFilter

#: Empty pages that promise more are legal (AWS, over many delete markers); this many in a row are a loop.
_EMPTY_PAGES_MAX = 1000
#: Pages of a folder level that are read: 4,000 folders are enough to cut at, and a level may hold millions.
_LEVEL_PAGES_MAX = 4
#: The filter in an inventory configuration.
_FILTER = re.compile(rb"<Filter>\s*<Prefix>([^<]*)</Prefix>")
#: Rows of a batch when a whole prefix had to be gathered and sorted first.
_SORTED_ROWS = 65_536


@dataclass(slots=True)
class _Meter:
    """The requests of one look that nothing it returned has told yet, and the skew that its answers show."""

    untold: int = 0
    skew_s: float | None = None

    def told(self) -> int:
        """Return them, and count anew."""
        requests, self.untold = self.untold, 0
        return requests


@contextmanager
def _metered() -> Iterator[_Meter]:
    """Count the requests of one look; an error that ends it carries those that nothing has told."""
    meter = _Meter()
    try:
        yield meter
    except LakeError as error:
        error.requests += meter.told()
        raise


class S3Lister:
    """Lists the objects below ``prefix`` of ``bucket`` (a ``recon.ports.Lister``).

    Args:
        bucket: its name.
        prefix: the lake's folder in it, with or without slashes around; "" for the whole bucket.
        endpoint_url: another server than AWS; it is then asked path-style.
        region: overrides AWS_REGION and the profile's.
        profile: a profile of ~/.aws/config.
        connections: requests in flight at once, over all threads.
        patience: how often and how long a request is tried.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        connections: int = 32,
        patience: Patience | None = None,
    ) -> None:
        folder = prefix.strip("/")
        self._bucket = bucket
        self._root = f"{folder}/".encode() if folder else b""
        self._answers = False
        self._client = S3Client(
            bucket,
            endpoint_url=endpoint_url,
            region=region,
            profile=profile,
            connections=connections,
            patience=patience or Patience(),
        )

    def pages(self, span: KeyRange, *, ordered: bool = True) -> Generator[Page]:
        """Yield the objects of ``span``, one page for each answer; see the port for its promises.

        With ``ordered=False`` the server's order and its StartAfter are not trusted: the whole prefix is
        listed by tokens, held in memory, sorted, and cut to the range.

        Raises:
            ListingOrderError: the keys do not ascend or leave the range; list again with ``ordered=False``.
            LakeError: the range cannot be seen whole and right.
        """
        if is_empty(span):
            return
        with _metered() as meter:
            yield from self._trusting(span, meter) if ordered else self._untrusting(span, meter)

    def folders(self, prefix: bytes) -> Folders:
        """Return the first few pages of one delimiter level, checked as strictly as pages are."""
        asked = self._root + prefix
        prefixes: list[bytes] = []
        keys = 0
        above = above_prefix = None
        with _metered() as meter:
            for page in islice(self._walk(prefix, {"delimiter": b"/"}, meter), _LEVEL_PAGES_MAX):
                children = binaries(page.prefixes)
                wrong = disorder(page.keys, asked, above) or disorder(children, asked, above_prefix)
                wrong = wrong or beyond_level(page, asked)
                if wrong:
                    raise self._disorderly(prefix, wrong)
                above = last(page.keys, above)
                above_prefix = last(children, above_prefix)
                prefixes += [child[len(self._root) :] for child in page.prefixes]
                keys += relative(page, self._root).num_rows
            return Folders(tuple(prefixes), keys, meter.told())

    def report_filter(self, config_id: str) -> ReportFilter:
        """Return the filter of the bucket's inventory configuration; who may not see it learns of none."""
        try:
            answer = self._client.inventory_configuration(config_id)
        except LakeError as error:
            return ReportFilter("", error.requests)
        found = _FILTER.search(answer.body)
        return ReportFilter("" if found is None else unescape(found[1].decode()), answer.requests)

    def order(self, prefix: bytes) -> Order:
        """Return what a few small listings show; AWS itself is not asked."""
        if self._client.is_aws:
            return Order(may_split=True, requests=0)
        found = self.probe(prefix)
        return Order(found.may_split, found.requests, found.detail)

    def read(self, key: bytes) -> bytes:
        """Return one object's content; raise ``LakeError`` where there is none, or none to be had."""
        return self._client.get_object(self._root + key, self._place(key)).body

    def look(self, key: bytes) -> Page:
        """Return a page with the object of that key; an empty one where there is provably none.

        A 404 has no words: it is believed once the bucket has answered a listing.
        """
        asked_at = datetime.now(UTC)
        found = self._client.head_object(self._root + key, self._place(key))
        skew_s = _skew_s(asked_at, found)
        requests = found.requests
        if found.missing and not self._answers:
            requests += self._ask(b"", {"max-keys": b"1"})[1].requests
            self._answers = True
        return Page(_headed(key, found), requests, skew_s=skew_s)

    def fetch(self, key: bytes, file: str) -> Fetched:
        """Write one object's content to ``file``; raise ``LakeError`` where it cannot be had whole."""
        try:
            answer = self._client.download(self._root + key, self._place(key), Path(file))
        except OSError as error:
            raise LakeError(
                f"cannot keep {self._place(key)} in {Path(file).parent}: {error.strerror}. "
                "Make room there, or set TMPDIR to where there is some."
            ) from error
        return Fetched(Path(file).stat().st_size, answer.body.decode(), answer.requests)

    def probe(self, prefix: bytes = b"") -> Probe:
        """Return what this server does with listings; raise ``LakeError`` where it does not list at all."""
        return probe(lambda query: self._ask(prefix, query))

    def _ask(self, prefix: bytes, query: dict[str, bytes]) -> tuple[ListPage, Answer]:
        below = self._root + prefix
        answer = self._client.list_objects(
            {"prefix": below, **query} if below else query, self._place(prefix)
        )
        return self._read(prefix, answer), answer

    def _trusting(self, span: KeyRange, meter: _Meter) -> Iterator[Page]:
        above = self._root + span.start_after if span.start_after else None
        for page in self._walk(span.prefix, {"start-after": above} if above else {}, meter):
            wrong = disorder(page.keys, self._root + span.prefix, above)
            if wrong:
                raise self._disorderly(span.prefix, wrong)
            above = last(page.keys, above)
            batch, reached = up_to(relative(page, self._root), span.end)
            more = page.token is not None and not reached
            yield Page(batch, meter.told(), more, meter.skew_s)
            if reached:
                return

    def _untrusting(self, span: KeyRange, meter: _Meter) -> Iterator[Page]:
        batches = []
        for page in self._walk(span.prefix, {}, meter):
            if not all_inside(page.keys, self._root + span.prefix):
                raise self._disorderly(span.prefix, "it holds keys outside the prefix")
            batches.append(relative(page, self._root))
        rows = sorted_inside(batches, span)
        for start in range(0, max(1, rows.num_rows), _SORTED_ROWS):
            yield Page(rows.slice(start, _SORTED_ROWS), meter.told(), skew_s=meter.skew_s)

    def _walk(self, prefix: bytes, query: dict[str, bytes], meter: _Meter) -> Iterator[ListPage]:
        """Yield all pages of one listing; raise where its tokens run in a circle."""
        asked = {"prefix": self._root + prefix, **query} if self._root + prefix else query
        seen: set[bytes] = set()
        empty = 0
        while True:
            asked_at = datetime.now(UTC)
            answer = self._client.list_objects(asked, self._place(prefix))
            meter.untold += answer.requests
            meter.skew_s = nearest((meter.skew_s, _skew_s(asked_at, answer)))
            page = self._read(prefix, answer)
            del answer  # its body need not live while the page is used and the next one comes
            yield page
            if page.token is None:
                return
            empty = 0 if len(page.keys) or page.prefixes else empty + 1
            if page.token in seen or empty > _EMPTY_PAGES_MAX:
                raise self._invalid(prefix, "the server's continuation tokens run in a circle")
            seen.add(page.token)
            asked = {**asked, "continuation-token": page.token}

    def _read(self, prefix: bytes, answer: Answer) -> ListPage:
        try:
            return read_page(answer.body)
        except TextError as error:
            raise self._invalid(prefix, str(error)) from error

    def _place(self, key: bytes) -> str:
        shown = (self._root + key).decode("utf-8", "backslashreplace")
        return f"s3://{self._bucket}/{shown if shown.isprintable() else ascii(shown)[1:-1]}"

    def _invalid(self, prefix: bytes, reason: str) -> ListingInvalidError:
        return ListingInvalidError(
            f"the listing of {self._place(prefix)} at {self._client.where} is invalid: {reason}. "
            "Nothing is concluded about its keys; run again, and `recon doctor` if it stays so."
        )

    def _disorderly(self, prefix: bytes, reason: str) -> ListingOrderError:
        return ListingOrderError(
            f"the listing of {self._place(prefix)} at {self._client.where} is out of order: {reason}. "
            "It must be listed whole, without range splits; `recon doctor` shows what this server honours."
        )


def _skew_s(asked_at: datetime, answer: Answer) -> float | None:
    """Return how far this host's clock is ahead of the server's, by an answer that has just come."""
    told = told_time(answer.headers)
    return None if told is None else skew_s(asked_at, datetime.now(UTC), told)


def _headed(key: bytes, found: Answer) -> pa.RecordBatch:
    """Return the row that an object's headers tell of; none where it is missing."""
    if found.missing:
        return _row([], [], [])
    try:
        size = int(found.headers["content-length"])
        changed = parsedate_to_datetime(found.headers["last-modified"])
    except (KeyError, ValueError) as error:
        raise ListingInvalidError(f"the headers of {key!r} tell no size and no time. Run again.") from error
    return _row([key], [size], [int(changed.timestamp() * 1000)])


def _row(keys: list[bytes], sizes: list[int], mtimes: list[int]) -> pa.RecordBatch:
    numbers = [pl.Series(column, dtype=pl.Int64).to_arrow() for column in (sizes, mtimes)]
    columns = [binaries(keys), numbers[0], numbers[1].cast(LISTING_SCHEMA.field("mtime").type)]
    return pa.RecordBatch.from_arrays(columns, schema=LISTING_SCHEMA)
