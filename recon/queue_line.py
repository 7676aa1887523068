"""Calls to the queues that outlive an outage of Redis: tried again, ever more slowly, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from recon.errors import BrokerError

_T = TypeVar("_T")
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 15.0


class QueueLine:
    """One consumer's line to the queues. A failure of the very first call is raised as it is.

    After ``patience_s`` without an answer every lease has ended: then the failure is raised too.
    """

    def __init__(self, patience_s: float, say: Callable[[str], None]) -> None:
        self._patience_s = patience_s
        self._say = say
        self._was_up = False
        self._down_since: float | None = None
        self._wait_s = _FIRST_WAIT_S
        self.again_at_s = float("-inf")

    @property
    def is_down(self) -> bool:
        """Tell whether the last call failed."""
        return self._down_since is not None

    def tried(self, call: Callable[[], _T]) -> _T | None:
        """Return what a call returns, or None where it fails, or is not due after a failure."""
        if time.monotonic() < self.again_at_s:
            return None
        try:
            answer = call()
        except BrokerError as error:
            self._failed(error)
            return None
        if self.is_down:
            self._say("the queues answer again")
        self._was_up, self._down_since, self._wait_s = True, None, _FIRST_WAIT_S
        return answer

    def _failed(self, error: BrokerError) -> None:
        now_s = time.monotonic()
        if not self._was_up or not error.may_pass:
            raise error
        if self._down_since is None:
            self._down_since = now_s
            self._say(f"the queues do not answer, trying again: {error}")
        elif now_s - self._down_since > self._patience_s:
            raise error
        self.again_at_s = now_s + self._wait_s
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
