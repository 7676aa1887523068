"""A lister and reports that tell how many objects and requests each page took, as the pages come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from recon.core.aws_manifest import DataFile, Manifest
from recon.model import KeyRange
from recon.ports import Fetched, Folders, Lister, Order, Page, ReportFiles, ReportFilter


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


class CountedReportFiles:
    """Other ``ReportFiles``, unchanged; ``tell`` gets (objects, requests) of every page, from any thread."""

    def __init__(self, files: ReportFiles, tell: Callable[[int, int], None]) -> None:
        self._files = files
        self._tell = tell

    def folders(self, prefix: bytes) -> Folders:
        """Return one delimiter level below ``prefix``."""
        return self._files.folders(prefix)

    def read(self, key: bytes) -> bytes:
        """Return one file's content."""
        return self._files.read(key)

    def filter_of(self, config_id: str) -> ReportFilter:
        """Return which keys a configuration reports."""
        return self._files.filter_of(config_id)

    def pages(self, manifest: Manifest, file: DataFile, root: bytes) -> Iterator[Page]:
        """Yield the objects that a data file tells of."""
        for page in self._files.pages(manifest, file, root):
            self._tell(page.batch.num_rows, page.requests)
            yield page
