"""A look at chosen keys of the lake, live: what it may still ask, and what it has found."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate, islice

import polars as pl
import pyarrow as pa

from recon.core.lake_clock import nearest
from recon.core.looks import Interval, Look, just_before, shared_folder
from recon.errors import LakeError
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA, Lister, Page


class _Spent(Exception):  # noqa: N818 - no error: the requests that this look may cost are used up
    """Raised when nothing more may be asked."""


@dataclass(eq=False)
class LiveLook:
    """Asks the lake within a number of requests; safe to use from many threads.

    A look that fails, or that may not be made, makes nothing known: ``failures`` says why.
    """

    lister: Lister
    left: int
    ordered: bool
    lanes: Executor
    lists: int = 0
    gets: int = 0
    failures: set[str] = field(default_factory=set)
    skew_s: float | None = None
    _rows: list[pa.RecordBatch] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def found(self) -> pa.Table | None:
        """Return the objects that were met, each once, as the latest write shows it; None for none."""
        if not self._rows:
            return None
        frame = pl.DataFrame(pa.Table.from_batches(self._rows, LISTING_SCHEMA))
        once: pa.Table = frame.sort("mtime").unique("key", keep="last", maintain_order=True).to_arrow()
        return once

    def asked(self, wanted: Sequence[Interval]) -> int:
        """Ask for the key that begins each interval; return how many are known, from the first on."""
        return self._known(self._ask_each(wanted))

    def listed(self, wanted: Sequence[Interval], most: int | None = None) -> int:
        """List past ascending intervals, ``most`` pages at most; return how many are known then."""
        return self._known(islice(self._list_past(wanted), most))

    def of_folder(self, look: Look) -> int:
        """Look at the keys of one folder; return how many of them are known, from the first on."""
        keys = [(raw, raw + b"\0") for raw in map(str.encode, look.keys.to_list())]
        return self.listed(keys) if look.dense and self.ordered else self.asked(keys)

    def below(self, prefix: str) -> bool:
        """List everything below a prefix; return whether all of it was seen."""
        raw = prefix.encode()
        return self._known(self._list_past([(raw, None)], KeyRange(raw))) == 1

    def _known(self, steps: Iterator[int]) -> int:
        known = 0
        try:
            for reached in steps:
                known = reached
        except LakeError as error:
            with self._lock:
                self.failures.add(str(error))
                self.lists += error.requests
        except _Spent:
            pass
        return known

    def _ask_each(self, wanted: Sequence[Interval]) -> Iterator[int]:
        for number, (key, _) in enumerate(wanted, start=1):
            self._take()
            page = self.lister.look(key)
            with self._lock:
                self.gets += page.requests
            self._keep(page)
            yield number

    def _list_past(self, wanted: Sequence[Interval], whole: KeyRange | None = None) -> Iterator[int]:
        """List from each interval that is not known yet; yield how many are. Each page makes one more known.

        Where one interval holds the next, both are known at the end of the wider one.
        """
        folder = shared_folder(wanted[0][0], wanted[-1][0])
        ends = list(accumulate((end for _, end in wanted), _later))
        known = 0
        while known < len(wanted):
            span = whole or KeyRange(folder, just_before(wanted[known][0]), ends[-1])
            with closing(self._pages(span)) as pages:
                for page in pages:
                    reached = _reached(page, ends, known)
                    if reached > known:
                        known = reached
                        yield known
                        break

    def _pages(self, span: KeyRange) -> Generator[Page]:
        self._take()
        with closing(self.lister.pages(span)) as pages:
            for page in pages:
                with self._lock:
                    self.lists += page.requests
                self._keep(page)
                yield page
                if page.more:
                    self._take()

    def _take(self) -> None:
        with self._lock:
            if self.left <= 0:
                raise _Spent
            self.left -= 1

    def _keep(self, page: Page) -> None:
        with self._lock:
            self.skew_s = nearest((self.skew_s, page.skew_s))
            if page.batch.num_rows:
                self._rows.append(page.batch)


def _reached(page: Page, ends: Sequence[bytes | None], known: int) -> int:
    """Return how many intervals are known after a page, where ``known`` were before."""
    if not page.more:
        return len(ends)
    if not page.batch.num_rows:
        return known
    # Keys up to and with the last one are seen: all below the least text above it.
    seen = page.batch.column("key")[-1].as_py() + b"\0"
    while known < len(ends) and (end := ends[known]) is not None and end <= seen:
        known += 1
    return known


def _later(one: bytes | None, other: bytes | None) -> bytes | None:
    """Return the later of two ends; None is the end of all keys."""
    return None if one is None or other is None else max(one, other)
