"""Holds on to leases in the background: a heartbeat at a third of their length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread
from typing import Self

from recon.errors import BrokerError
from recon.model import Lease
from recon.ports import Leases

#: Heartbeats in one length of a lease.
BEATS = 3
#: Seconds until a heartbeat that failed is tried again, at most.
AGAIN_S = 5.0


class LeaseKeeper:
    """Extends every lease that was added and not removed; ``gone`` is told (lost or cancelled) once for each.

    A heartbeat that fails proves nothing: it is tried again, and the server knows what was lost.
    """

    def __init__(self, leases: Leases, visibility_s: float, gone: Callable[[Lease, str], None]) -> None:
        self._leases = leases
        self._visibility_s = visibility_s
        self._gone = gone
        self._held: dict[str, Lease] = {}
        self._lock = Lock()
        self._done = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=AGAIN_S)

    def add(self, leases: Iterable[Lease]) -> None:
        """Hold on to leases from now on."""
        with self._lock:
            self._held.update({lease.id: lease for lease in leases})

    def remove(self, leases: Iterable[Lease]) -> None:
        """Let leases be."""
        with self._lock:
            for lease in leases:
                self._held.pop(lease.id, None)

    def _beat(self) -> None:
        between_s = self._visibility_s / BEATS
        wait_s = between_s
        while not self._done.wait(wait_s):
            with self._lock:
                held = list(self._held.values())
            try:
                answers = self._leases.heartbeat(held, visibility_s=self._visibility_s) if held else {}
            except BrokerError:
                wait_s = min(between_s, AGAIN_S)
                continue
            wait_s = between_s
            for lease in held:
                if answers.get(lease.id, "lost") != "extended":
                    self._drop(lease, answers.get(lease.id, "lost"))

    def _drop(self, lease: Lease, answer: str) -> None:
        with self._lock:
            was_held = self._held.get(lease.id) == lease
            if was_held:
                del self._held[lease.id]
        if was_held:
            self._gone(lease, answer)
