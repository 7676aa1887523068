"""Where reports are delivered: data files are checked whole before a row of them is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from recon.adapters.aws_report.rows import rows
from recon.core.aws_manifest import DataFile, Manifest
from recon.errors import AccessDeniedError, ReportError
from recon.ports import Folders, Lister, Page, ReportFilter


class AwsReportFiles:
    """The reports of a destination (a ``recon.ports.ReportFiles``), which ``lister`` reads from its root.

    ``filter_of`` asks the bucket that is reported for a configuration's filter, where it is one.
    """

    def __init__(self, lister: Lister, filter_of: Callable[[str], ReportFilter] | None = None) -> None:
        self._lister = lister
        self._filter_of = filter_of

    def folders(self, prefix: bytes) -> Folders:
        """Return one delimiter level below ``prefix``."""
        return self._lister.folders(prefix)

    def read(self, key: bytes) -> bytes:
        """Return one file's content."""
        with _explained():
            return self._lister.read(key)

    def filter_of(self, config_id: str) -> ReportFilter:
        """Return which keys a configuration reports, as far as that may be seen."""
        return ReportFilter() if self._filter_of is None else self._filter_of(config_id)

    def pages(self, manifest: Manifest, file: DataFile, root: bytes) -> Iterator[Page]:
        """Yield the objects below ``root`` that a data file tells of, once it has shown its size and MD5."""
        with TemporaryDirectory(prefix="recon-report-") as folder:
            copy = Path(folder) / "data"
            with _explained():
                fetched = self._lister.fetch(file.key.encode(), str(copy))
            if fetched.size != file.size:
                raise ReportError(f"{file.key} has {fetched.size:,} bytes, and {file.size:,} by its manifest")
            if fetched.md5 != file.md5:
                raise ReportError(f"{file.key} does not have the MD5 that its manifest tells")
            requests = fetched.requests
            try:
                for batch in rows(copy, manifest, root):
                    yield Page(batch, requests)
                    requests = 0
            except ReportError as error:
                raise ReportError(f"{file.key}: {error}") from error


@contextmanager
def _explained() -> Iterator[None]:
    """Add to a refusal what else may refuse a report: the key that it is encrypted with."""
    try:
        yield
    except AccessDeniedError as error:
        told = AccessDeniedError(f"{error} A report encrypted with SSE-KMS needs kms:Decrypt on its key too.")
        told.requests = error.requests
        raise told from error
