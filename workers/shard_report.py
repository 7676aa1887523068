"""One shard's words on the progress board while it is scanned: at its start, twice a second, at its end."""

from __future__ import annotations

import time
from threading import Lock
from typing import Self

from recon.core.progress import shard_label
from recon.errors import BrokerError
from recon.model import Shard, ShardProgress
from recon.ports import ProgressBoard

#: Seconds between two words of one shard.
EVERY_S = 0.5


class ShardReport:
    """Counts what a shard lists, from many threads, and says so; a board that fails is not asked again."""

    def __init__(self, board: ProgressBoard, cycle_id: str, shard: Shard) -> None:
        self._board: ProgressBoard | None = board
        self._cycle_id = cycle_id
        self._shard = shard
        self._label = shard_label(shard)
        self._lock = Lock()
        self._objects = self._requests = 0
        self._next_s = 0.0

    def __enter__(self) -> Self:
        self._say(ended=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._say(ended=True)

    def add(self, objects: int, requests: int) -> None:
        """Count one page."""
        with self._lock:
            self._objects += objects
            self._requests += requests
            is_due = time.monotonic() >= self._next_s
            if is_due:
                self._next_s = time.monotonic() + EVERY_S
        if is_due:
            self._say(ended=False)

    def _say(self, *, ended: bool) -> None:
        board = self._board
        if board is None:
            return
        self._next_s = time.monotonic() + EVERY_S
        said = ShardProgress(self._label, self._objects, self._requests, ended)
        try:
            board.put(self._cycle_id, self._shard.id, said)
        except BrokerError:
            self._board = None
