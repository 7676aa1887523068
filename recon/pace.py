"""How many pages a process works on at once: many while it waits for the lake, few once it is busy itself.

Threads that read pages contend for the interpreter: 32 of them took three times the CPU of one for the same
pages, and longer. Waiting for an answer is no work: where answers take long, all 32 may wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator

from recon.ports import Page

#: Pages at once at most: as many as there are connections.
_MOST = 32
#: The share of one core that the pages at work may keep busy.
_BUSY = 0.75
#: What a page's figures are worth after each later page.
_FADING = 15 / 16


class Pace:
    """Bounds the pages at work in a process, over all its threads.

    The bound is the number of pages that keep ``_BUSY`` of a core busy, by the CPU seconds that a second of
    work on the latest pages cost. It starts at ``most``.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._bound = most
        self._inside = 0
        self._cpu_s = self._wall_s = 0.0
        self._changed = threading.Condition()

    @property
    def bound(self) -> int:
        """Return how many pages may be worked on at once now."""
        return self._bound

    def paced(self, pages: Iterator[Page]) -> Generator[Page]:
        """Yield ``pages``, each within a place: from the question to the end of what is done with its answer.

        Close it in the thread that uses it: a place that is not left is lost.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._inside < self._bound)
                self._inside += 1
            began, cpu = time.perf_counter(), time.thread_time()
            try:
                page = next(pages, None)
                if page is None:
                    return
                yield page
            finally:
                self._leave(time.thread_time() - cpu, time.perf_counter() - began)

    def _leave(self, cpu_s: float, wall_s: float) -> None:
        with self._changed:
            self._inside -= 1
            self._cpu_s = _FADING * self._cpu_s + cpu_s
            self._wall_s = _FADING * self._wall_s + wall_s
            if self._cpu_s > 0:
                self._bound = min(self._most, max(1, round(_BUSY * self._wall_s / self._cpu_s)))
            self._changed.notify(max(1, self._bound - self._inside))
