"""Which workers answer, what they consume, and what each says of itself."""

from __future__ import annotations

from typing import Any

from kombu.exceptions import OperationalError

from recon.errors import BrokerError
from workers.app import app

#: Seconds that every worker has to answer; asking takes this long.
ANSWER_S = 1.0


def consumers(answer_s: float = ANSWER_S) -> dict[str, list[str]]:
    """Return queue -> the workers that consume it and answer; raise ``BrokerError`` where none can be."""
    return _by_queue(_asked("active_queues", {}, answer_s))


def queues_of(worker: str, answer_s: float) -> list[str]:
    """Return the queues that one worker consumes, as soon as it answers; [] when it does not in time."""
    replies = _asked("active_queues", {}, answer_s, destination=[worker], limit=1)
    return sorted(_by_queue(replies))


def roll_call(probe: str, answer_s: float = ANSWER_S) -> dict[str, dict[str, Any]]:
    """Return worker -> what it says of itself (``workers.roll_call``); a worker too old for it does not."""
    replies = _asked("recon_roll_call", {"probe": probe}, answer_s)
    return {worker: said for worker, said in sorted(replies.items()) if "version" in said}


def _asked(command: str, arguments: dict[str, Any], answer_s: float, **more: Any) -> dict[str, Any]:
    try:
        replies = app.control.broadcast(command, arguments=arguments, reply=True, timeout=answer_s, **more)
    except OperationalError as error:
        raise BrokerError(f"the workers cannot be asked: {error}. Check the broker.") from error
    return {worker: said for reply in replies or () for worker, said in reply.items()}


def _by_queue(replies: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for worker, queues in sorted(replies.items()):
        for queue in queues:
            found.setdefault(queue["name"], []).append(worker)
    return found
