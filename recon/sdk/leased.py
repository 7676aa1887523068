"""A leased task as its consumer reads it, and what is said of one that nobody settled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from recon.core.lease_calls import Call, release_call, settle_call
from recon.model import Lease, Priority, Settlement

#: Fields of a body without which nothing could be done (docs/task.schema.json).
_NEEDED = (
    *("lake", "source", "data_type", "scraper", "reason", "partition", "pattern"),
    *("keys", "items", "expect", "args"),
)


class LeasedTask:
    """One task of which this consumer has the lease."""

    def __init__(self, lease: Lease, document: Mapping[str, Any]) -> None:
        self.lease = lease
        #: The whole body, fields unknown to this class included.
        self.document = document
        self._is_settled = False
        self._is_unwanted = False

    @property
    def id(self) -> str:
        """Return its identity, the same in every cycle: 32 hex digits."""
        return self.lease.id

    @property
    def priority(self) -> Priority:
        """Return the level of the queue it came from."""
        return self.lease.priority

    @property
    def attempts(self) -> int:
        """Return how often it was delivered, this time included."""
        return self.lease.attempts

    @property
    def lake(self) -> str:
        """Return the address that keys are relative to, such as ``s3://bucket/prefix``."""
        return str(self.document["lake"])

    @property
    def source(self) -> str:
        """Return the source's name."""
        return str(self.document["source"])

    @property
    def data_type(self) -> str:
        """Return the data type's name."""
        return str(self.document["data_type"])

    @property
    def scraper(self) -> str:
        """Return the name of the scraper that it is meant for."""
        return str(self.document["scraper"])

    @property
    def reason(self) -> str:
        """Return why it is wanted: missing, stale, small or incomplete."""
        return str(self.document["reason"])

    @property
    def partition(self) -> Mapping[str, str]:
        """Return what its keys have in common, such as the season."""
        partition: Mapping[str, str] = self.document["partition"]
        return partition

    @property
    def keys(self) -> Sequence[str]:
        """Return the keys that are to be written; none where only a number of objects is expected."""
        keys: Sequence[str] = self.document["keys"]
        return keys

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """Return the placeholders' values of each key."""
        items: Sequence[Mapping[str, Any]] = self.document["items"]
        return items

    @property
    def pattern(self) -> str:
        """Return the path pattern that the keys follow."""
        return str(self.document["pattern"])

    @property
    def expect(self) -> Mapping[str, Any]:
        """Return what counts: ``min_size_bytes`` and ``fresh_after``, or ``have`` and ``expected``."""
        expect: Mapping[str, Any] = self.document["expect"]
        return expect

    @property
    def args(self) -> Sequence[str]:
        """Return further arguments that the configuration gives the scraper."""
        args: Sequence[str] = self.document["args"]
        return args

    @property
    def cancelled(self) -> bool:
        """Tell whether working on is of no use: nobody wants it any more, or another consumer has it."""
        return self._is_unwanted

    @property
    def settled(self) -> bool:
        """Tell whether it was said what came of it, or it was given back."""
        return self._is_settled

    def note_told(self) -> None:
        """Remember that the queue was told what came of it."""
        self._is_settled = True

    def note_beat(self, word: str) -> None:
        """Take in the queue's answer to a heartbeat: extended, lost or cancelled."""
        self._is_unwanted = self._is_unwanted or word != "extended"

    def parting(self, error: BaseException | None) -> Call[list[str]] | None:
        """Return what to say when its block is left with ``error``, or without one; None: all was said.

        An exception is a failure; so is a block that ends without a word. Who was stopped (SystemExit,
        KeyboardInterrupt, a cancelled coroutine) gives it back.
        """
        if self._is_settled:
            return None
        stopped = error is not None and not isinstance(error, Exception)
        if stopped or self._is_unwanted:
            return release_call([self.lease])
        words = "its consumer did not say what came of it" if error is None else said(error)
        return settle_call([self.lease], Settlement.FAILED, error=words)


def said(error: BaseException) -> str:
    """Return an exception in a line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def document_of(lease: Lease) -> Mapping[str, Any] | None:
    """Return the body of a lease, or None where it is unreadable (an append-only file has no checksums)."""
    try:
        document = json.loads(lease.body)
        sound = document["id"] == lease.id and all(name in document for name in _NEEDED)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return document if sound else None


def unreadable_call(leases: Sequence[Lease]) -> Call[list[str]]:
    """Return what is said of leases whose bodies are unreadable: the next cycle puts them right."""
    return settle_call(leases, Settlement.FAILED, error="its body is unreadable")
