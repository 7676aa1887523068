"""How a server is reached: every time spelt out, and tries with jitter."""

from __future__ import annotations

from typing import Any

from redis.backoff import ExponentialWithJitterBackoff

#: Seconds to reach the server. redis-py's defaults changed between releases, so every time is spelt out.
CONNECT_TIMEOUT_S = 5.0
#: Seconds to wait for one reply; our longest script takes milliseconds.
REPLY_TIMEOUT_S = 15.0
#: Tries after the first, with jitter. Every script is idempotent, so that repeating one is safe.
RETRIES = 3
UNUSABLE_URL = "the broker URL cannot be used: {error}. Expected redis://, rediss:// or unix://."


def options(reply_timeout_s: float) -> dict[str, Any]:
    """Return the options of a client, but for its retries."""
    return {
        "socket_connect_timeout": min(CONNECT_TIMEOUT_S, reply_timeout_s),
        "socket_timeout": reply_timeout_s,
        "health_check_interval": 25,
    }


def backoff() -> ExponentialWithJitterBackoff:
    """Return the waits between tries."""
    return ExponentialWithJitterBackoff(cap=1, base=0.05)
