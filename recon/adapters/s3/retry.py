"""How long to go on asking a server that does not answer well, and how many questions to ask it at once."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from recon.errors import LakeError


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds of one request: tries, seconds in all, seconds of a connect and of a silent read.

    Waits between tries double from ``first_wait_s`` up to ``longest_wait_s``, with full jitter
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    attempts: int = 8
    deadline_s: float = 60.0
    connect_s: float = 5.0
    read_s: float = 10.0
    first_wait_s: float = 0.1
    longest_wait_s: float = 8.0

    def wait_s(self, attempt: int) -> float:
        """Return a random wait in seconds after try number ``attempt`` (from 1) failed."""
        return random.uniform(0, min(self.longest_wait_s, self.first_wait_s * 2 ** (attempt - 1)))


class PassingError(Exception):
    """Raised inside the adapter when a request failed in a way that asking again may mend.

    ``throttled`` tells that the server asked for fewer requests; ``last`` is the error for people when it
    was the last try.
    """

    def __init__(self, reason: str, last: type[LakeError], *, throttled: bool = False) -> None:
        super().__init__(reason)
        self.last = last
        self.throttled = throttled


#: Seconds without an answer after which a server counts as gone.
OUTAGE_S = 60.0
#: Seconds between two questions to a server that counts as gone.
PAUSE_S = 20.0


class Outage:
    """Tells how often to try while a server answers nobody: a whole patience per shard would take hours.

    Times are monotonic seconds. Questions further apart than ``OUTAGE_S`` say nothing of each other.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._asked = self._paused_until = 0.0

    def tries(self, patience: Patience, now: float) -> int:
        """Return how often a question may be tried that is asked ``now``; 0: not at all, it is gone."""
        if self._since is None or now - self._asked > OUTAGE_S:
            self._since = now
        self._asked = now
        if now - self._since <= OUTAGE_S:
            return patience.attempts
        return 0 if now < self._paused_until else 1

    def silent(self, now: float) -> None:
        """Note a question that was given up ``now``."""
        self._paused_until = now + PAUSE_S

    def answered(self) -> None:
        """Note a good answer, or a refusal: the server is there."""
        self._since = None


class Gate:
    """Bounds the requests in flight, over all threads, by additive increase and multiplicative decrease.

    A throttled answer halves the bound once per round: answers to questions asked before the last cut do not
    cut again. Each good answer lifts it by 1/bound, back to ``most``.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._bound = float(most)
        self._inside = 0
        self._round = 0
        self._changed = threading.Condition()

    @property
    def bound(self) -> float:
        """Return how many requests may be in flight now."""
        return self._bound

    def enter(self, timeout_s: float) -> int | None:
        """Wait for a place; return the round it was given in, or None after ``timeout_s`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._inside < max(1, int(self._bound)), timeout_s):
                return None
            self._inside += 1
            return self._round

    def leave(self, entered: int, *, throttled: bool) -> None:
        """Give the place back and say how it went."""
        with self._changed:
            self._inside -= 1
            if not throttled:
                self._bound = min(self._most, self._bound + 1 / self._bound)
            elif entered == self._round:
                self._bound = max(1.0, self._bound / 2)
                self._round += 1
            self._changed.notify()
