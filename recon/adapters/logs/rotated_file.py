"""A log file that several processes may write to and rotate; forked children too.

Owns ``<folder>/<role>.log``, ``<role>.log.1`` … and the lock file ``.__<role>.lock`` beside them.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from concurrent_log_handler import ConcurrentRotatingFileHandler

#: Seconds between two words on standard error about a log that cannot be written.
_AGAIN_S = 60.0


class RotatedFile(ConcurrentRotatingFileHandler):
    """Rotates at a size under a lock that all writers share; a disk that is full ends no work."""

    def __init__(self, path: Path, size_bytes: int, backups: int) -> None:
        super().__init__(str(path), maxBytes=size_bytes, backupCount=backups, encoding="utf-8")
        self._told_s: float | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say now and then that lines are lost, never what they held."""
        del record
        now_s = time.monotonic()
        if self._told_s is None or now_s - self._told_s > _AGAIN_S:
            self._told_s = now_s
            error = sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]
            why = getattr(error, "strerror", None) or type(error).__name__
            print(f"recon: {self.baseFilename} cannot be written: {why}", file=sys.__stderr__)
