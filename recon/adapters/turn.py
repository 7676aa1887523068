"""Whose turn it is, where one process at a time may act: a lock file in a folder, or a key in Redis.

Owns ``<folder>/<name>.lock``, and the Redis key ``<prefix>:<name>:turn``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recon.errors import BrokerError

if TYPE_CHECKING:  # ports describe Arrow batches; who only watches does without Arrow
    from recon.ports import Broker


class FolderTurn:
    """The turn among all processes that share a folder, ``rest_s`` after the last one ended at the earliest.

    The kernel gives it back when its holder dies; the file's time tells when a turn ended.
    """

    def __init__(self, folder: Path, name: str, rest_s: float) -> None:
        self._path = folder / f"{name}.lock"
        self._rest_s = rest_s

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Give the turn for the block, if it is free; a folder that cannot be used has no rival."""
        try:
            handle = self._open()
        except OSError:
            yield True
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            is_rested = not 0 <= time.time() - os.fstat(handle).st_mtime < self._rest_s
            yield is_rested
            if is_rested:
                with suppress(OSError):
                    os.utime(handle)
        finally:
            os.close(handle)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return os.open(self._path, os.O_RDWR)
        os.utime(handle, (0, 0))  # nobody has had a turn
        return handle


class RedisTurn:
    """The turn among all processes that share a server, for ``lasts_s`` at most, then ``rest_s`` nobody's.

    While the server is away, everybody has the turn: two may then act, which is better than none.
    """

    def __init__(self, broker: Broker, prefix: str, name: str, lasts_s: float, rest_s: float) -> None:
        self._broker = broker
        self._key = f"{prefix}:{name}:turn"
        self._lasts_ms, self._rest_ms = int(lasts_s * 1000), int(rest_s * 1000)

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Give the turn for the block, if it is free."""
        mine = secrets.token_hex(8)
        try:
            taken = self._broker.command("SET", self._key, mine, "NX", "PX", self._lasts_ms) is not None
        except BrokerError:
            yield True
            return
        try:
            yield taken
        finally:
            if taken:
                with suppress(BrokerError):
                    self._rest(mine.encode())

    def _rest(self, mine: bytes) -> None:
        if self._broker.command("GET", self._key) != mine:
            return
        if self._rest_ms:
            self._broker.command("PEXPIRE", self._key, self._rest_ms)
        else:
            self._broker.command("DEL", self._key)
