"""A lake that is a folder: its files as objects, in the order S3 would list them.

Keys are paths below the root, as raw bytes. A symbolic link to a file inside the root counts as a file (its
target's size and time); links to folders, links out of the root and broken links do not, nor do sockets,
pipes and devices.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA, Fetched, Folders, Order, Page

#: Rows of a batch.
_ROWS = 5000
#: Bytes of a file that are held at once while it is copied.
_PART_BYTES = 1 << 20
#: What the system says of a path that is not there, or cannot be.
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
#: A key, and what stands there when it is not a folder.
_Child = tuple[bytes, "os.DirEntry[bytes] | None"]
_NO_CHILD: _Child = (b"", None)


@dataclass(slots=True)
class _Rows:
    """The columns of the batch that is being filled; times in milliseconds since 1970."""

    keys: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    mtimes: list[int] = field(default_factory=list)

    def add(self, key: bytes, found: os.stat_result) -> None:
        self.keys.append(key)
        self.sizes.append(found.st_size)
        self.mtimes.append(found.st_mtime_ns // 1_000_000)

    def page(self) -> Page:
        # By way of Polars: pyarrow imports pandas (0.2 s) wherever it is given Python values.
        keys = pl.Series(self.keys, dtype=pl.Binary).to_arrow()
        sizes, mtimes = (pl.Series(column, dtype=pl.Int64).to_arrow() for column in (self.sizes, self.mtimes))
        columns = [keys, sizes, mtimes.cast(LISTING_SCHEMA.field("mtime").type)]
        return Page(pa.RecordBatch.from_arrays(columns, schema=LISTING_SCHEMA), requests=0)


class LocalLister:
    """Lists the files below ``root`` (a ``recon.ports.Lister``); it makes no requests, and counts none."""

    def __init__(self, root: str | Path) -> None:
        self._root = os.fsencode(os.path.realpath(root)).rstrip(b"/") + b"/"

    def pages(self, span: KeyRange, *, ordered: bool = True) -> Generator[Page]:
        """Yield the files of ``span`` in ascending byte order of their keys, whatever ``ordered`` says.

        Folders outside the range are not opened. A file that vanishes meanwhile is absent.

        Raises:
            LakeUnreachableError: the root is missing, was replaced meanwhile, or cannot be read.
            AccessDeniedError: a folder or a file may not be looked at; it is named.
        """
        del ordered  # the order is made here, so it never has to be doubted
        identity = self._identity()
        rows = _Rows()
        for key, entry in self._files(span):
            found = self._stat(key, entry)
            if found is None:
                continue
            rows.add(key, found)
            if len(rows.keys) == _ROWS:
                yield rows.page()
                rows = _Rows()
        if self._identity() != identity:
            raise LakeUnreachableError(
                f"the lake {self._shown(b'')} was replaced while it was listed. Run again."
            )
        yield rows.page()

    def folders(self, prefix: bytes) -> Folders:
        """Return one level below ``prefix``; a folder without files counts as a prefix here, unlike on S3."""
        self._identity()
        base = self._base(prefix)
        prefixes, keys = [], 0
        for name, entry in () if base is None else self._children(base):
            if not name.startswith(prefix):
                continue
            if entry is None:
                prefixes.append(name)
            elif self._stat(name, entry) is not None:
                keys += 1
        return Folders(tuple(prefixes), keys, requests=0)

    def order(self, prefix: bytes) -> Order:
        """Return that ranges may begin anywhere: the order is made here."""
        del prefix
        return Order(may_split=True, requests=0)

    def read(self, key: bytes) -> bytes:
        """Return one file's content; raise ``LakeError`` where there is none, or it lies outside the root."""
        with self._opened(key) as content:
            return content.read()

    def look(self, key: bytes) -> Page:
        """Return a page with the file of that key; an empty one where there is none."""
        with closing(self.pages(KeyRange(key, end=key))) as pages:
            return next(pages)

    def fetch(self, key: bytes, file: str) -> Fetched:
        """Copy one file's content to ``file``; raise ``LakeError`` as ``read`` does."""
        try:
            copy = Path(file).open("wb")  # noqa: SIM115 - closed below; its errors are not the lake's
        except OSError as error:
            raise self._unkept(key, file, error) from error
        digest = hashlib.md5(usedforsecurity=False)
        with copy, self._opened(key) as content:
            while part := content.read(_PART_BYTES):
                digest.update(part)
                try:
                    copy.write(part)
                    copy.flush()
                except OSError as error:
                    raise self._unkept(key, file, error) from error
            return Fetched(copy.tell(), digest.hexdigest(), requests=0)

    def _unkept(self, key: bytes, file: str, error: OSError) -> LakeError:
        return LakeError(
            f"cannot keep {self._shown(key)} in {Path(file).parent}: {error.strerror}. "
            "Make room there, or set TMPDIR to where there is some."
        )

    @contextmanager
    def _opened(self, key: bytes) -> Iterator[BinaryIO]:
        cannot = f"cannot read {self._shown(key)}"
        if b"\0" in key or not self._holds(path := os.path.realpath(self._path(key))):
            raise LakeError(f"{cannot}: it lies outside the lake. Check the key.")
        try:
            with Path(os.fsdecode(path)).open("rb") as content:
                yield content
        except PermissionError as error:
            raise AccessDeniedError(f"{cannot}: {error.strerror}. Let this user read it.") from error
        except OSError as error:
            raise LakeError(f"{cannot}: {error.strerror}. Check the key.") from error

    def _files(self, span: KeyRange) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
        """Yield what is not a folder inside ``span``, ascending, with its key."""
        base = self._base(span.prefix)
        stack = [] if base is None else [self._children(base)]
        while stack:
            key, entry = next(stack[-1], _NO_CHILD)
            if not key:
                stack.pop()
            elif span.end is not None and key > span.end:
                return  # all that follows is greater, in this folder and in those around it
            elif entry is None:
                if _may_hold(key, span):
                    stack.append(self._children(key))
            elif key > span.start_after and key.startswith(span.prefix):
                yield key, entry

    def _children(self, folder: bytes) -> Iterator[_Child]:
        """Return a folder's children with their keys, ascending; folders end in ``/`` and carry no entry.

        Compared with the slash, folders sort among their siblings as the keys below them do.
        """
        try:
            with os.scandir(self._path(folder)) as entries:
                children: list[_Child] = [
                    (folder + entry.name + b"/", None)
                    if entry.is_dir(follow_symlinks=False)
                    else (folder + entry.name, entry)
                    for entry in entries
                ]
        except OSError as error:
            self._unless_gone(folder, error)
            return iter(())
        children.sort(key=itemgetter(0))
        return iter(children)

    def _base(self, prefix: bytes) -> bytes | None:
        """Return the folder that holds all keys with ``prefix``; None when links or odd names lead there."""
        base = prefix[: prefix.rfind(b"/") + 1]
        names = base.split(b"/")[:-1]
        if b"\0" in base or any(name in {b"", b".", b".."} for name in names):
            return None
        for depth in range(1, len(names) + 1):
            try:
                found = os.lstat(self._path(b"/".join(names[:depth])))
            except OSError as error:
                self._unless_gone(base, error)
                return None
            if not stat.S_ISDIR(found.st_mode):
                return None
        return base

    def _stat(self, key: bytes, entry: os.DirEntry[bytes]) -> os.stat_result | None:
        """Return the status of what counts as a file under ``key``, or None."""
        try:
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                target = os.path.realpath(entry.path)
                if not self._holds(target):
                    return None
                found = os.stat(target)  # noqa: PTH116 - pathlib knows no bytes
        except OSError as error:
            self._unless_gone(key, error)
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _unless_gone(self, key: bytes, error: OSError) -> None:
        """Pass when ``error`` says that there is no such thing (any longer); raise otherwise."""
        if error.errno in _GONE:
            return
        if isinstance(error, PermissionError):
            raise AccessDeniedError(
                f"cannot look at {self._shown(key)}: {error.strerror}. "
                "Let this user read it and the folders above it."
            ) from error
        raise LakeUnreachableError(f"cannot look at {self._shown(key)}: {error.strerror}.") from error

    def _identity(self) -> tuple[int, int]:
        """Return what tells this root from another in its place; raise unless it is a folder."""
        try:
            found = os.stat(self._root)  # noqa: PTH116 - pathlib knows no bytes
        except OSError as error:
            raise LakeUnreachableError(
                f"the lake {self._shown(b'')} cannot be reached: {error.strerror}. "
                "Is it mounted, and `lake` right?"
            ) from error
        if not stat.S_ISDIR(found.st_mode):
            raise LakeUnreachableError(f"the lake {self._shown(b'')} is not a folder. Check `lake`.")
        return found.st_dev, found.st_ino

    def _holds(self, path: bytes) -> bool:
        return path.startswith(self._root)

    def _path(self, key: bytes) -> bytes:
        return self._root + key

    def _shown(self, key: bytes) -> str:
        shown = self._path(key).decode("utf-8", "backslashreplace")
        return f"file://{shown if shown.isprintable() else ascii(shown)[1:-1]}"


def _may_hold(folder: bytes, span: KeyRange) -> bool:
    """Return whether a key below ``folder`` can lie above the range's start and in its prefix."""
    if not (folder.startswith(span.prefix) or span.prefix.startswith(folder)):
        return False
    return folder >= span.start_after or span.start_after.startswith(folder)
