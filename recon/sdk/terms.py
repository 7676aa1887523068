"""How a consumer takes tasks: from where, which ones, how many, for how long."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recon.core.lease_calls import Call, heartbeat_call, lease_call, level_order
from recon.core.queue_keys import QueueKeys
from recon.core.remote_redis import is_exposed, shown_host
from recon.errors import ConfigError
from recon.model import Lease

#: Seconds between two looks at empty queues: a cooling task is ready when somebody looks.
WAIT_S = 2.0
#: A shorter wait could be taken for 0, which Redis takes for ever.
_LEAST_WAIT_S = 0.01
#: Heartbeats in the time that a lease lasts: one may be lost.
BEATS = 3
#: Seconds until a heartbeat that failed is tried again, at most.
AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms that a consumer states once; ``draw`` (0 to 1) is used where levels are weighted."""

    prefix: str
    scrapers: tuple[str, ...]
    visibility_s: float
    batch: int
    weighted: bool
    idle_s: float | None
    patience_s: float
    draw: Callable[[], float]

    @property
    def keys(self) -> list[str]:
        """Return the keys that every script takes."""
        return QueueKeys(self.prefix).all

    @property
    def beat_s(self) -> float:
        """Return the seconds between heartbeats."""
        return self.visibility_s / BEATS

    def wait(self, waited_s: float) -> tuple[str, str, str] | None:
        """Return the command that waits for a task, or None where it was waited long enough."""
        left = WAIT_S if self.idle_s is None else min(WAIT_S, self.idle_s - waited_s)
        return ("BLPOP", QueueKeys(self.prefix).wake, f"{left:.3f}") if left >= _LEAST_WAIT_S else None

    def lease(self) -> Call[list[Lease]]:
        """Return the call that takes tasks, under a token of its own."""
        order = level_order(self.draw if self.weighted else None)
        return lease_call(
            self.batch,
            secrets.token_hex(8),
            visibility_s=self.visibility_s,
            scrapers=self.scrapers,
            order=order,
        )

    def beat(self, leases: Sequence[Lease]) -> Call[list[str]]:
        """Return the call that extends leases."""
        return heartbeat_call(leases, visibility_s=self.visibility_s)


def checked_terms(url: str, terms: Terms, *, allow_insecure: bool) -> Terms:
    """Return the terms; raise ``ConfigError`` where they, or the server, must not be used."""
    problems = []
    if is_exposed(url) and not allow_insecure:
        problems.append(
            f"the Redis at {shown_host(url)} is on another host, with neither a password nor TLS: whoever "
            "reaches it can read and forge tasks; use redis://user:password@host or rediss://host, or, in a "
            "network that you trust, allow_insecure=True"
        )
    if terms.visibility_s < 1:
        problems.append(f"visibility_s is {terms.visibility_s}; expected at least 1 second")
    if terms.batch < 1:
        problems.append(f"batch is {terms.batch}; expected at least 1 task")
    if problems:
        raise ConfigError(problems)
    return terms
