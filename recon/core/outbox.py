"""What one channel is still to be told: at once or in a digest, and again where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recon.core.alert_message import Kind, Message
from recon.core.conditions import ConditionName, Severity

#: How long a channel that failed is left alone, at first and at most.
_RETRY_S, _RETRY_MAX_S = 60.0, 3600.0
#: Messages that wait for one channel at most; the oldest make room.
_PENDING_MAX = 50


@dataclass(frozen=True, slots=True)
class Audience:
    """A channel, by its id: what it is told of (None: everything)."""

    id: str
    names: frozenset[ConditionName] | None = None

    def wants(self, name: ConditionName) -> bool:
        """Tell whether it is told of such a condition."""
        return self.names is None or name in self.names


@dataclass(frozen=True, slots=True)
class Outbox:
    """What one channel is still to be told, and how it took what it was told last."""

    pending: tuple[Message, ...] = ()
    digest: tuple[Message, ...] = ()
    digest_at: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    problem: str = ""
    sent_at: datetime | None = None
    sent: int = 0
    dropped: int = 0


def filled(outbox: Outbox, new: Sequence[Message], digest_every: timedelta | None, now: datetime) -> Outbox:
    """Return an outbox with what is new; what is not critical waits for the digest, where there is one."""
    pending, digest, digest_at = outbox.pending, outbox.digest, outbox.digest_at
    for message in new:
        if digest_every is None or message.severity is Severity.CRITICAL:
            pending = _joined(pending, message)
        else:
            digest = _joined(digest, message)
            digest_at = digest_at or now + digest_every
    if digest and (digest_every is None or digest_at is None or digest_at <= now):
        pending, digest = (*pending, *digest), ()
    return replace(
        outbox,
        pending=pending[-_PENDING_MAX:],
        digest=digest[-_PENDING_MAX:],
        digest_at=digest_at if digest else None,
        dropped=outbox.dropped + max(0, len(pending) - _PENDING_MAX),
    )


def _joined(waiting: tuple[Message, ...], new: Message) -> tuple[Message, ...]:
    """Return what waits with one message more; the end of what was not told yet takes its beginning back."""
    same = [one for one in waiting if one.name is new.name]
    others = tuple(one for one in waiting if one.name is not new.name)
    if new.kind is Kind.ENDED and any(one.kind is Kind.BEGUN for one in same):
        return others
    if same and new.kind is not Kind.ENDED:
        kind = Kind.BEGUN if any(one.kind is Kind.BEGUN for one in same) else new.kind
        ended = tuple(one for one in same if one.kind is Kind.ENDED)
        return (*others, *ended, replace(new, kind=kind))
    return (*others, new)


def told(outbox: Outbox, messages: Sequence[Message], problem: str, now: datetime) -> Outbox:
    """Return an outbox after sending ``messages``; a ``problem`` keeps them, for a later time."""
    if problem:
        failures = outbox.failures + 1
        wait_s = min(_RETRY_MAX_S, _RETRY_S * 2 ** min(failures - 1, 10))
        return replace(outbox, failures=failures, problem=problem, retry_at=now + timedelta(seconds=wait_s))
    left = tuple(one for one in outbox.pending if one not in messages)
    return replace(
        outbox,
        pending=left,
        failures=0,
        problem="",
        retry_at=None,
        sent_at=now,
        sent=outbox.sent + len(messages),
    )
