"""How long to wait before a failed cycle is tried again."""

from __future__ import annotations


def wait_s(failures: int, first_s: float, longest_s: float, jitter: float) -> float:
    """Return the seconds to wait after this many failures in a row (from 1).

    Doubles from ``first_s`` up to ``longest_s``, with equal jitter: half of it, and ``jitter`` (0 to 1) of
    the other half (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    whole = min(longest_s, first_s * 2.0 ** min(failures - 1, 32))
    return whole * (0.5 + 0.5 * jitter)
