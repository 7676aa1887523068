"""A careful consumer's side of the scrapers' queues on Redis: leases, heartbeats, settlements.

Keys: those of ``lua/queue.lua``; every operation is one Lua script.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable, Sequence

from recon.adapters.redis_queue.keys import QueueKeys
from recon.model import Lease, Priority, Settlement
from recon.ports import Broker

#: A first retry waits half of this to all of it; each further one twice as long, up to the longest.
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0
#: Deliveries of one task, those that end in a crash included.
MAX_DELIVERIES = 5
#: How often a level is looked at first where levels are weighted, from critical to low.
_WEIGHTS = (8, 4, 2, 1)
#: Tasks of a level that are looked at when only some may be leased.
_LOOK = 1000


class RedisLeases:
    """A ``Leases`` under one prefix; safe to call from many threads."""

    def __init__(
        self,
        broker: Broker,
        *,
        prefix: str = "recon",
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
        max_deliveries: int = MAX_DELIVERIES,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._broker = broker
        self._keys = QueueKeys(prefix).all
        self._retries = (round(first_wait_s * 1000), round(longest_wait_s * 1000), max_deliveries)
        self._draw = draw

    def lease(
        self, count: int, *, visibility_s: float, scrapers: Sequence[str] = (), weighted: bool = False
    ) -> list[Lease]:
        """Take up to ``count`` ready tasks, most urgent first, or in an order of levels drawn 8:4:2:1."""
        token = secrets.token_hex(8)
        order = "".join(str(int(level)) for level in self._order(weighted=weighted))
        words = [json.dumps(scraper) for scraper in scrapers]
        rows: list[bytes] = self._broker.run(
            "queue_lease", self._keys, [count, round(visibility_s * 1000), token, order, _LOOK, *words]
        )
        return [
            Lease(rows[at].decode(), token, Priority(int(rows[at + 1])), int(rows[at + 2]), rows[at + 3])
            for at in range(0, len(rows), 4)
        ]

    def ready(self) -> list[bytes]:
        """Return a thousand bodies of each level, in the order that they are leased; lease nothing."""
        lists = self._keys[: len(Priority)]
        return [body for key in lists for body in self._broker.command("LRANGE", key, 0, _LOOK - 1)]

    def heartbeat(self, leases: Sequence[Lease], *, visibility_s: float) -> dict[str, str]:
        """Extend leases; return id -> extended, lost or cancelled."""
        return self._told("queue_heartbeat", [round(visibility_s * 1000)], leases)

    def release(self, leases: Sequence[Lease], *, delay_s: float = 0.0) -> dict[str, str]:
        """Give tasks back undone, their attempt refunded; return id -> released, cancelled or lost."""
        return self._told("queue_release", [round(delay_s * 1000)], leases)

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
        result = result_text(lease, status, keys=keys, error=error, evidence=evidence)
        wait = "" if delay_s is None else round(delay_s * 1000)
        told = [*self._retries, lease.id, lease.token, status.value, wait, error or "it failed", result]
        (word,) = self._broker.run("queue_settle", self._keys, told)
        return str(word.decode())

    def settle_done(self, leases: Sequence[Lease]) -> dict[str, str]:
        """Say that tasks are done, all at once; return id -> settled, late, repeated, taken or unknown."""
        told: list[str | bytes | int] = [*self._retries]
        for lease in leases:
            result = result_text(lease, Settlement.DONE)
            told += [lease.id, lease.token, Settlement.DONE.value, "", "", result]
        words: list[bytes] = self._broker.run("queue_settle", self._keys, told)
        return {lease.id: word.decode() for lease, word in zip(leases, words, strict=True)}

    def _order(self, *, weighted: bool) -> list[Priority]:
        if not weighted:
            return list(Priority)
        # Weighted sampling without replacement (Efraimidis and Spirakis, 2006).
        drawn = {level: self._draw() ** (1 / _WEIGHTS[level]) for level in Priority}
        return sorted(Priority, key=lambda level: -drawn[level])

    def _told(self, script: str, told: list[int], leases: Sequence[Lease]) -> dict[str, str]:
        pairs = [text for lease in leases for text in (lease.id, lease.token)]
        words: list[bytes] = self._broker.run(script, self._keys, [*told, *pairs])
        return {lease.id: word.decode() for lease, word in zip(leases, words, strict=True)}


def result_text(
    lease: Lease,
    status: Settlement,
    *,
    keys: Sequence[str] | None = None,
    error: str = "",
    evidence: str = "",
) -> str:
    """Return a result as it stands in ``P:results`` (ASCII JSON, ``"id"`` first)."""
    document: dict[str, object] = {"id": lease.id, "status": status.value, "token": lease.token}
    if keys is not None:
        document["keys"] = list(keys)
    if error:
        document["error"] = error
    if evidence:
        document["evidence"] = evidence
    return json.dumps(document, separators=(",", ":"))
