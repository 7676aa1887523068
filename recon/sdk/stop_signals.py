"""SIGTERM and SIGINT as requests to stop: the first is heeded in peace, the second ends the process."""

from __future__ import annotations

import signal
from collections.abc import Callable

STOPPING = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call ``stop`` on the first signal, and give signals back to whoever had them before.

    Works in the main thread only, as Python's signals do.
    """
    before = {number: signal.getsignal(number) for number in STOPPING}

    def heed(_number: int, _frame: object) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop()

    for number in STOPPING:
        signal.signal(number, heed)
