"""The lanes of one shard: ranges listed side by side; one that turns out long is cut for idle lanes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import NamedTuple

from recon.core.cuts import rest
from recon.model import KeyRange
from recon.pace import Pace
from recon.threads import Threads

#: A range may be cut each time it was listed for so many pages.
PAGES_ALONE = 8
#: Points of one cut at most. Over a shard, each page that was listed pays for one point more.
_POINTS_MAX = 64
#: Points for each idle lane: pieces turn out unequal, and the short ones are soon done.
_POINTS_PER_LANE = 4


class Part(NamedTuple):
    """A range, or a piece of it, and the number of the range in its shard."""

    number: int
    span: KeyRange


class Lanes:
    """Counts the ranges of a shard that are listed or wait; safe to call from their threads."""

    def __init__(self, width: int, pace: Pace) -> None:
        """Have ``width`` lanes: ranges listed at the same time, as far as the process bears it."""
        self._width = width
        self.pace = pace
        self._lock = threading.Lock()
        self._ranges = 0
        self._points_left = _POINTS_MAX

    def run(self, parts: Sequence[Part], look: Callable[[Part], Sequence[Part]]) -> None:
        """Look at every part, and at what each look leaves over."""
        self._ranges = len(parts)
        with Threads(max_workers=self._width, thread_name_prefix="list") as pool:
            running: set[Future[Sequence[Part]]] = {pool.submit(look, part) for part in parts}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                left = [part for one in done for part in one.result()]
                with self._lock:
                    self._ranges -= len(done)
                running |= {pool.submit(look, part) for part in left}

    def cut(self, part: Part, seen: Sequence[bytes]) -> tuple[Part, ...]:
        """Return what ``part`` holds above the last of ``seen``, cut for idle lanes; nothing if none is."""
        with self._lock:
            self._points_left += PAGES_ALONE
            idle = min(self._width, self.pace.bound) - self._ranges
            if idle <= 0:
                return ()
            left = rest(part.span, seen, min(_POINTS_MAX, _POINTS_PER_LANE * idle, self._points_left))
            if len(left) == 1:
                return ()
            self._points_left -= len(left) - 1
            self._ranges += len(left)
            return tuple(Part(part.number, span) for span in left)
