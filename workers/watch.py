"""Looks at the engine for whoever asks: at most every few seconds, and never longer than they can wait.

A look runs in a thread of its own. Where a source hangs, whoever asks is told the facts of the last look, and
how old they are.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from recon.core.engine_standing import Standing

#: Seconds that facts are fresh for: whoever scrapes oftener loads neither Redis nor S3.
FRESH_S = 4.0
#: Seconds that a request waits for a look.
PATIENCE_S = 2.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last look showed, and how long ago it ended."""

    standing: Standing
    age_s: float


class Watch:
    """The last look, renewed when it is asked for; for use from one event loop."""

    def __init__(
        self, look: Callable[[], Standing], *, fresh_s: float = FRESH_S, patience_s: float = PATIENCE_S
    ) -> None:
        self._look = look
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._last: tuple[Standing, float] | None = None
        self._looking: asyncio.Future[None] | None = None

    async def seen(self) -> Seen | None:
        """Return the latest look; None where none has ended yet."""
        if self._last is None or time.monotonic() - self._last[1] > self._fresh_s:
            await asyncio.wait([self._started()], timeout=self._patience_s)
        if self._last is None:
            return None
        standing, ended = self._last
        return Seen(standing, time.monotonic() - ended)

    def _started(self) -> asyncio.Future[None]:
        """Return the look that is under way, begun if there is none."""
        if self._looking is None or self._looking.done():
            loop = asyncio.get_running_loop()
            self._looking = looking = loop.create_future()
            # A daemon: a look that hangs keeps nobody from ending the process.
            threading.Thread(target=self._run, args=(loop, looking), name="look", daemon=True).start()
        return self._looking

    def _run(self, loop: asyncio.AbstractEventLoop, looking: asyncio.Future[None]) -> None:
        found: Standing | None = None
        try:
            found = self._look()
        except Exception:  # noqa: BLE001 - whoever waits is told the facts of an earlier look
            _log.exception("a look at the engine failed")
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._end, looking, found)

    def _end(self, looking: asyncio.Future[None], found: Standing | None) -> None:
        if found is not None:
            self._last = found, time.monotonic()
        looking.set_result(None)
