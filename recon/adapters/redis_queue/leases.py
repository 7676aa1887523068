"""A careful consumer's side of the scrapers' queues on Redis: leases, heartbeats, settlements.

Keys: those of ``lua/queue.lua``; every operation is one Lua script.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from recon.core.lease_calls import (
    LOOK,
    RETRIES,
    Call,
    Retries,
    T,
    heartbeat_call,
    lease_call,
    level_order,
    release_call,
    settle_call,
)
from recon.core.queue_keys import QueueKeys
from recon.model import Lease, Priority, Settlement

if TYPE_CHECKING:  # ports describe Arrow batches; who only looks at queues does without Arrow
    from recon.ports import Broker


class RedisLeases:
    """A ``Leases`` under one prefix; safe to call from many threads."""

    def __init__(
        self,
        broker: Broker,
        *,
        prefix: str = "recon",
        first_wait_s: float = RETRIES.first_wait_s,
        longest_wait_s: float = RETRIES.longest_wait_s,
        max_deliveries: int = RETRIES.max_deliveries,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._broker = broker
        self._keys = QueueKeys(prefix).all
        self._retries = Retries(first_wait_s, longest_wait_s, max_deliveries)
        self._draw = draw

    def lease(
        self, count: int, *, visibility_s: float, scrapers: Sequence[str] = (), weighted: bool = False
    ) -> list[Lease]:
        """Take up to ``count`` ready tasks, most urgent first, or in an order of levels drawn 8:4:2:1."""
        order = level_order(self._draw if weighted else None)
        token = secrets.token_hex(8)
        return self._run(lease_call(count, token, visibility_s=visibility_s, scrapers=scrapers, order=order))

    def ready(self) -> list[bytes]:
        """Return a thousand bodies of each level, in the order that they are leased; lease nothing."""
        lists = self._keys[: len(Priority)]
        return [body for key in lists for body in self._broker.command("LRANGE", key, 0, LOOK - 1)]

    def heartbeat(self, leases: Sequence[Lease], *, visibility_s: float) -> dict[str, str]:
        """Extend leases; return id -> extended, lost or cancelled."""
        return _by_id(leases, self._run(heartbeat_call(leases, visibility_s=visibility_s)))

    def release(self, leases: Sequence[Lease], *, delay_s: float = 0.0) -> dict[str, str]:
        """Give tasks back undone, their attempt refunded; return id -> released, cancelled or lost."""
        return _by_id(leases, self._run(release_call(leases, delay_s=delay_s)))

    def settle(
        self,
        lease: Lease,
        status: Settlement,
        *,
        keys: Sequence[str] | None = None,
        error: str = "",
        evidence: str = "",
        delay_s: float | None = None,
    ) -> str:
        """Say what came of a task; return settled, late, repeated, taken or unknown."""
        call = settle_call(
            [lease],
            status,
            keys=keys,
            error=error,
            evidence=evidence,
            delay_s=delay_s,
            retries=self._retries,
        )
        (word,) = self._run(call)
        return word

    def settle_done(self, leases: Sequence[Lease]) -> dict[str, str]:
        """Say that tasks are done, all at once; return id -> settled, late, repeated, taken or unknown."""
        return _by_id(leases, self._run(settle_call(leases, Settlement.DONE, retries=self._retries)))

    def _run(self, call: Call[T]) -> T:
        return call.read(self._broker.run(call.script, self._keys, call.args))


def _by_id(leases: Sequence[Lease], words: list[str]) -> dict[str, str]:
    return {lease.id: word for lease, word in zip(leases, words, strict=True)}
