"""A lake that is a folder: its files as objects, in the order S3 would list them.

Keys are paths below the root, as raw bytes. A symbolic link to a file inside the root counts as a file (its
target's size and time); links to folders, links out of the root and broken links do not, nor do sockets,
pipes and devices.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pyarrow as pa

from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA, Folders, Page

#: Rows of a batch.
_ROWS = 5000


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
        columns = (self.keys, self.sizes, self.mtimes)
        arrays = [pa.array(column, kind.type) for column, kind in zip(columns, LISTING_SCHEMA, strict=True)]
        return Page(pa.RecordBatch.from_arrays(arrays, schema=LISTING_SCHEMA), requests=0)


class LocalLister:
    """Lists the files below ``root`` (a ``recon.ports.Lister``); it makes no requests, and counts none."""

    def __init__(self, root: str | Path) -> None:
        self._root = os.fsencode(os.path.realpath(root))

    def pages(self, span: KeyRange, *, ordered: bool = True) -> Iterator[Page]:
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
            self._unreachable("it was replaced while it was listed")
        yield rows.page()

    def folders(self, prefix: bytes) -> Folders:
        """Return one level below ``prefix``; a folder without files counts as a prefix here, unlike on S3."""
        self._identity()
        base = prefix[: prefix.rfind(b"/") + 1]
        prefixes, keys = [], 0
        for name, entry in self._children(base):
            if not name.startswith(prefix):
                continue
            if entry is None:
                prefixes.append(name)
            elif self._stat(name, entry) is not None:
                keys += 1
        return Folders(tuple(prefixes), keys, requests=0)

    def read(self, key: bytes) -> bytes:
        """Return one file's content; raise ``LakeError`` where there is none, or it lies outside the root."""
        path = os.path.realpath(self._path(key))
        if not path.startswith(os.path.join(self._root, b"")):
            raise LakeError(f"cannot read {self._shown(key)}: it lies outside the lake. Check the key.")
        try:
            return Path(os.fsdecode(path)).read_bytes()
        except PermissionError as error:
            raise AccessDeniedError(f"cannot read {self._shown(key)}: {error.strerror}.") from error
        except OSError as error:
            raise LakeError(f"cannot read {self._shown(key)}: {error.strerror}. Check the key.") from error

    def _files(self, span: KeyRange) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
        """Yield what is not a folder inside ``span``, ascending, with its key."""
        base = span.prefix[: span.prefix.rfind(b"/") + 1]
        stack = [self._children(base)]
        while stack:
            for key, entry in stack[-1]:
                if span.end is not None and key > span.end:
                    return  # everything from here on is greater, in this folder and in those around it
                if entry is not None:
                    if key > span.start_after and key.startswith(span.prefix):
                        yield key, entry
                elif _may_hold(key, span):
                    stack.append(self._children(key))
                    break
            else:
                stack.pop()

    def _children(self, folder: bytes) -> Iterator[tuple[bytes, os.DirEntry[bytes] | None]]:
        """Return a folder's children with their keys, ascending; folders end in ``/`` and carry no entry.

        Compared with the slash, folders sort among their siblings as the keys below them do.
        """
        if not self._is_plain(folder):
            return iter(())
        try:
            with os.scandir(self._path(folder)) as entries:
                children = [
                    (folder + entry.name + b"/", None)
                    if entry.is_dir(follow_symlinks=False)
                    else (folder + entry.name, entry)
                    for entry in entries
                ]
        except OSError as error:
            return self._absent(folder, error)
        children.sort(key=_key)
        return iter(children)

    def _is_plain(self, folder: bytes) -> bool:
        """Return whether ``folder`` is reached through folders only: no links, no ``..``, no empty names."""
        at = self._root
        for name in folder.split(b"/")[:-1]:
            if name in {b"", b".", b".."}:
                return False
            at = os.path.join(at, name)
            try:
                found = os.lstat(at)
            except OSError as error:
                self._absent(folder, error)
                return False
            if not stat.S_ISDIR(found.st_mode):
                return False
        return True
