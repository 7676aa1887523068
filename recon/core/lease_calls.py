"""A careful consumer's calls as the queues' scripts take and answer them: lease, heartbeat, settle, release.

Pure: whoever makes a call runs ``script`` with the keys of ``queue_keys`` and ``args``, and hands the reply
to ``read``. docs/queue-protocol.md tells the same to consumers in other languages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from recon.masking import masked
from recon.model import Lease, Priority, Settlement

#: Tasks of a level that are looked at when only some may be leased.
LOOK = 1000
#: Characters of an error, or of evidence, that go into a result.
TEXT_MAX = 500
#: How often a level is looked at first where levels are weighted, from critical to low.
_WEIGHTS = (8, 4, 2, 1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One run of a script: its name, its ARGV, and what its reply means."""

    script: str
    args: tuple[str | bytes | int, ...]
    read: Callable[[list[bytes]], T]


@dataclass(frozen=True, slots=True)
class Retries:
    """How failed tasks come back: after half a wait to all of it, twice as long each time, or not at all.

    Deliveries that end in a crash count.
    """

    first_wait_s: float = 30.0
    longest_wait_s: float = 3600.0
    max_deliveries: int = 5

    @property
    def args(self) -> tuple[int, int, int]:
        """Return them as the scripts take them (ms, ms, deliveries)."""
        return round(self.first_wait_s * 1000), round(self.longest_wait_s * 1000), self.max_deliveries


RETRIES = Retries()


def level_order(draw: Callable[[], float] | None) -> str:
    """Return the levels in the order to look, such as ``0123``; with ``draw`` (0 to 1) drawn 8:4:2:1.

    Weighted sampling without replacement (Efraimidis and Spirakis, 2006).
    """
    levels = list(Priority)
    if draw is not None:
        drawn = {level: draw() ** (1 / _WEIGHTS[level]) for level in levels}
        levels.sort(key=lambda level: -drawn[level])
    return "".join(str(level.value) for level in levels)


def lease_call(
    count: int, token: str, *, visibility_s: float, scrapers: Sequence[str] = (), order: str = "0123"
) -> Call[list[Lease]]:
    """Take up to ``count`` ready tasks under one token, of ``scrapers`` only where any are named."""
    words = [json.dumps(scraper) for scraper in scrapers]

    def leases(rows: list[bytes]) -> list[Lease]:
        return [
            Lease(rows[at].decode(), token, Priority(int(rows[at + 1])), int(rows[at + 2]), rows[at + 3])
            for at in range(0, len(rows), 4)
        ]

    return Call("queue_lease", (count, _ms(visibility_s), token, order, LOOK, *words), leases)


def heartbeat_call(leases: Sequence[Lease], *, visibility_s: float) -> Call[list[str]]:
    """Extend leases; answers extended, lost or cancelled for each."""
    return Call("queue_heartbeat", (_ms(visibility_s), *_pairs(leases)), _words)


def release_call(leases: Sequence[Lease], *, delay_s: float = 0.0) -> Call[list[str]]:
    """Give tasks back undone, their attempt refunded; answers released, cancelled or lost for each."""
    return Call("queue_release", (_ms(delay_s), *_pairs(leases)), _words)


def settle_call(
    leases: Sequence[Lease],
    status: Settlement,
    *,
    keys: Sequence[str] | None = None,
    error: str = "",
    evidence: str = "",
    delay_s: float | None = None,
    retries: Retries = RETRIES,
) -> Call[list[str]]:
    """Say what came of tasks; answers settled, late, repeated, taken or unknown for each.

    ``keys`` are those it is said of (None: all); a failed task is tried again after ``delay_s``, or as
    ``retries`` say.
    """
    wait = "" if delay_s is None else _ms(delay_s)
    told: list[str | bytes | int] = [*retries.args]
    for lease in leases:
        result = result_text(lease, status, keys=keys, error=error, evidence=evidence)
        told += [lease.id, lease.token, status.value, wait, _kept(error) or "it failed", result]
    return Call("queue_settle", tuple(told), _words)


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
        document["error"] = _kept(error)
    if evidence:
        document["evidence"] = _kept(evidence)
    return json.dumps(document, separators=(",", ":"))


def _kept(text: str) -> str:
    """Return what is kept of an error's words: no secret of an address, and not all of a long one.

    A lone surrogate, as in an undecodable file's name, cannot be sent; it is spelt out.
    """
    return masked(text)[:TEXT_MAX].encode("utf-8", "backslashreplace").decode()


def _pairs(leases: Sequence[Lease]) -> list[str]:
    return [text for lease in leases for text in (lease.id, lease.token)]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _words(reply: list[bytes]) -> list[str]:
    return [word.decode() for word in reply]
