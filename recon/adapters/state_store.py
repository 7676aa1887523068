"""Where a cycle's small files live: a folder, an S3 prefix, or memory.

Owns in a folder: every name as a file below the root, and ``.tmp/`` for files being written. On S3: every
name as an object below ``<prefix>/``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from recon.errors import StateError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

#: The folder for half-written files, below the root so that a rename never crosses file systems.
_ASIDE = ".tmp"
#: Seconds after which a half-written file belongs to nobody: its writer was killed.
_ASIDE_MAX_AGE_S = 3600.0
#: Times a file is moved into a folder that a delete beside it may remove.
_TRIES = 100
#: Objects that one DeleteObjects request takes.
_DELETE_BATCH = 1000


class FileStateStore:
    """A ``StateStore`` in a folder, made at the first write. A name cannot also be a folder of names."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._swept = False

    def put(self, name: str, content: bytes) -> None:
        """Write aside, flush to the disk, and rename over ``name``."""
        path = self._root / _checked(name)
        with _file_errors(f"write {path}"):
            aside = self._write_aside(content)
            try:
                _move(aside, path)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise

    def get(self, name: str) -> bytes | None:
        """Return the content of ``name``, or None."""
        path = self._root / _checked(name)
        with _file_errors(f"read {path}"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def names(self, prefix: str) -> list[str]:
        """Return the names that start with ``prefix``, sorted."""
        _checked_prefix(prefix)
        folder = self._root / prefix.rpartition("/")[0]
        with _file_errors(f"list {folder}"):
            return sorted(name for name in _files_below(folder, self._root) if name.startswith(prefix))

    def delete(self, prefix: str) -> None:
        """Delete every name that starts with ``prefix``, and the folders that this leaves empty."""
        _refuse_everything(prefix)
        for name in self.names(prefix):
            path = self._root / name
            with _file_errors(f"delete {path}"):
                path.unlink(missing_ok=True)
                with suppress(OSError):  # not empty, or a put just made a file in it
                    for folder in path.parents[: name.count("/")]:
                        folder.rmdir()

    def _write_aside(self, content: bytes) -> Path:
        folder = self._root / _ASIDE
        folder.mkdir(parents=True, exist_ok=True)
        if not self._swept:
            self._swept = True
            _sweep(folder)
        handle, aside = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        return Path(aside)


class S3StateStore:
    """A ``StateStore`` below one prefix of a bucket; S3 replaces an object whole."""

    def __init__(self, bucket: str, prefix: str, client: S3Client) -> None:
        self._bucket = bucket
        self._below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = client

    def put(self, name: str, content: bytes) -> None:
        """Put one object."""
        key = self._below + _checked(name)
        with self._errors("write", key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)

    def get(self, name: str) -> bytes | None:
        """Return one object's content, or None."""
        key = self._below + _checked(name)
        with self._errors("read", key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            with answer["Body"] as body:
                return body.read()

    def names(self, prefix: str) -> list[str]:
        """Return the names that start with ``prefix``, sorted."""
        start = self._below + _checked_prefix(prefix)
        keys: list[str] = []
        with self._errors("list", start):
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket,
                Prefix=start,
            ):
                keys += [entry["Key"] for entry in page.get("Contents", ())]
        return sorted(key[len(self._below) :] for key in keys)

    def delete(self, prefix: str) -> None:
        """Delete every name that starts with ``prefix``."""
        _refuse_everything(prefix)
        keys = [self._below + name for name in self.names(prefix)]
        for start in range(0, len(keys), _DELETE_BATCH):
            self._delete(keys[start : start + _DELETE_BATCH])

    def _delete(self, keys: Sequence[str]) -> None:
        with self._errors("delete", keys[0]):
            answer = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        for failed in answer.get("Errors", ()):
            raise StateError(
                f"cannot delete s3://{self._bucket}/{failed.get('Key')}: {failed.get('Code')} "
                f"{failed.get('Message')}. Check that the credentials may delete there.",
            )

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        # Imported here: it takes 0.1 s, and most states are folders.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise StateError(
                f"cannot {doing} s3://{self._bucket}/{key}: {error}. Check `state` in recon.yaml, the "
                "bucket's region and endpoint, and that the credentials may get, put, list and delete there.",
            ) from error


class MemoryStateStore:
    """A ``StateStore`` that ends with the process: for tests and runs that must leave nothing."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._lock = Lock()

    def put(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``."""
        with self._lock:
            self._contents[_checked(name)] = bytes(content)

    def get(self, name: str) -> bytes | None:
        """Return the content of ``name``, or None."""
        with self._lock:
            return self._contents.get(_checked(name))

    def names(self, prefix: str) -> list[str]:
        """Return the names that start with ``prefix``, sorted."""
        _checked_prefix(prefix)
        with self._lock:
            return sorted(name for name in self._contents if name.startswith(prefix))

    def delete(self, prefix: str) -> None:
        """Forget every name that starts with ``prefix``."""
        _refuse_everything(prefix)
        for name in self.names(prefix):
            with self._lock:
                self._contents.pop(name, None)


def _checked(name: str) -> str:
    """Return ``name``; raise ``StateError`` unless it stays below the root, whatever the store."""
    segments = name.split("/")
    if any(segment in {"", ".", ".."} or len(segment.encode()) > 255 for segment in segments):
        raise StateError(_bad_name(name, "segments that are not empty, '.' or '..', of 255 bytes at most"))
    if segments[0] == _ASIDE:
        raise StateError(_bad_name(name, f"another first segment: {_ASIDE} holds half-written files"))
    if "\\" in name or not name.isprintable():
        raise StateError(_bad_name(name, "printable characters without a backslash"))
    return name


def _checked_prefix(prefix: str) -> str:
    """Return ``prefix``: '', or the start of a name (it may end anywhere, in a segment too)."""
    if prefix:
        _checked(prefix + "x" if prefix.endswith("/") else prefix)
    return prefix


def _refuse_everything(prefix: str) -> None:
    if not prefix:
        raise StateError(
            "deleting every name of the state store is refused: name a prefix, e.g. 'cycles/<id>/'"
        )


def _bad_name(name: str, expected: str) -> str:
    return f"{name!r} cannot be a name in the state store: expected {expected}. This is a bug: report it."


def _files_below(folder: Path, root: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        if Path(where) == root and _ASIDE in folders:
            folders.remove(_ASIDE)
        below = Path(where).relative_to(root).as_posix()
        yield from files if below == "." else (f"{below}/{file}" for file in files)


def _move(aside: Path, path: Path) -> None:
    """Rename into place; a delete may remove a folder at any moment of its making, so try again.

    A folder that vanishes while it is made is told by ``mkdir`` in one of two ways: its parent is not found,
    or it exists and is no folder. The error that stays is raised.
    """
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError, FileExistsError):
            _make_and_move(aside, path)
            return
    _make_and_move(aside, path)


def _make_and_move(aside: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(path)


def _sweep(folder: Path) -> None:
    """Remove what killed writers left behind."""
    oldest = time.time() - _ASIDE_MAX_AGE_S
    for file in folder.iterdir():
        with suppress(OSError):  # its writer renamed it meanwhile
            if file.stat().st_mtime < oldest:
                file.unlink()


@contextmanager
def _file_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"cannot {doing}: {error.strerror or error}. Check `state` in recon.yaml, the folder's owner and "
            "free space.",
        ) from error
