"""Which workers answer, and what they consume."""

from __future__ import annotations

from kombu.exceptions import OperationalError

from recon.errors import BrokerError
from workers.app import app

#: Seconds that every worker has to answer; asking takes this long.
ANSWER_S = 1.0


def consumers(answer_s: float = ANSWER_S) -> dict[str, list[str]]:
    """Return queue -> the workers that consume it and answer; raise ``BrokerError`` where none can be."""
    try:
        replies = app.control.inspect(timeout=answer_s).active_queues() or {}
    except OperationalError as error:
        raise BrokerError(f"the workers cannot be asked: {error}. Check the broker.") from error
    found: dict[str, list[str]] = {}
    for worker, queues in sorted(replies.items()):
        for queue in queues:
            found.setdefault(queue["name"], []).append(worker)
    return found
