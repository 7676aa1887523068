"""A lister that tells how many objects and requests each page took, as the pages come."""

from __future__ import annotations

from collections.abc import Callable, Generator

from recon.model import KeyRange
from recon.ports import Fetched, Folders, Lister, Order, Page


class CountedLister:
    """Another ``Lister``, unchanged; ``tell`` gets (objects, requests) of every page, from many threads."""

    def __init__(self, lister: Lister, tell: Callable[[int, int], None]) -> None:
        self._lister = lister
        self._tell = tell

    def pages(self, span: KeyRange, *, ordered: bool = True) -> Generator[Page]:
        """Yield the objects of ``span``."""
        for page in self._lister.pages(span, ordered=ordered):
            self._tell(page.batch.num_rows, page.requests)
            yield page

    def folders(self, prefix: bytes) -> Folders:
        """Return one delimiter level below ``prefix``."""
        return self._lister.folders(prefix)

    def order(self, prefix: bytes) -> Order:
        """Return whether keys below ``prefix`` come in byte order."""
        return self._lister.order(prefix)

    def read(self, key: bytes) -> bytes:
        """Return one object's content."""
        return self._lister.read(key)

    def look(self, key: bytes) -> Page:
        """Return a page with the object of that key."""
        return self._lister.look(key)

    def fetch(self, key: bytes, file: str) -> Fetched:
        """Write one object's content to ``file``."""
        return self._lister.fetch(key, file)
