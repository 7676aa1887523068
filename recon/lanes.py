"""The lanes of one shard: ranges listed side by side; one that turns out long is cut for idle lanes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from recon.core.cuts import rest
from recon.model import KeyRange

#: A range may be cut each time it was listed for so many pages.
PAGES_ALONE = 8
#: Points of one cut at most. Over a shard, each page that was listed pays for one point more.
_POINTS_MAX = 64
#: Points for each idle lane: pieces turn out unequal, and the short ones are soon done.
_POINTS_PER_LANE = 4


class Lanes:
    """Counts the ranges of a shard that are listed or wait; safe to call from their threads."""

    def __init__(self, width: int) -> None:
        """Have ``width`` lanes: ranges listed at the same time."""
        self._width = width
        self._lock = threading.Lock()
        self._ranges = 0
        self._points_left = _POINTS_MAX

    def run(self, spans: Sequence[KeyRange], look: Callable[[KeyRange], Sequence[KeyRange]]) -> None:
        """Look at every range, and at what each look leaves over."""
        self._ranges = len(spans)
        with ThreadPoolExecutor(max_workers=self._width, thread_name_prefix="list") as pool:
            running: set[Future[Sequence[KeyRange]]] = {pool.submit(look, span) for span in spans}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                left = [span for one in done for span in one.result()]
                with self._lock:
                    self._ranges -= len(done)
                running |= {pool.submit(look, span) for span in left}

    def cut(self, span: KeyRange, seen: Sequence[bytes]) -> tuple[KeyRange, ...]:
        """Return what ``span`` holds above the last of ``seen``, cut for idle lanes; nothing if none is."""
        with self._lock:
            self._points_left += PAGES_ALONE
            idle = self._width - self._ranges
            if idle <= 0:
                return ()
            left = rest(span, seen, min(_POINTS_MAX, _POINTS_PER_LANE * idle, self._points_left))
            if len(left) == 1:
                return ()
            self._points_left -= len(left) - 1
            self._ranges += len(left)
            return left
