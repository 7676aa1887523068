"""The tasks' names and queues, and how to send them without importing what they do.

A broker that takes no message is a ``BrokerError``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from kombu.exceptions import OperationalError

from recon.errors import BrokerError
from workers.app import app

CONTROL = "recon.control"
SCAN = "recon.scan"
BEGIN = "recon.begin"
FINISH = "recon.finish"
SCAN_SHARD_AGAIN = "recon.scan_shard_again"
#: A cycle that nobody began for this long is not begun any more: whoever asked for it has given up.
#: Shorter than the visibility timeout, after which a dead worker's message is delivered once more.
BEGIN_EXPIRES_S = 600.0


def send_begin(cycle_id: str, flags: Mapping[str, Any]) -> None:
    """Have a control worker plan a cycle and send its shards out."""
    _send(BEGIN, CONTROL, f"{cycle_id}:begin", cycle_id, dict(flags), expires=BEGIN_EXPIRES_S)


def send_again(cycle_id: str, shard_ids: Sequence[str]) -> None:
    """Send lost shards out again, or the final step where none is left."""
    for shard_id in shard_ids:
        _send(SCAN_SHARD_AGAIN, SCAN, f"{cycle_id}:{shard_id}", cycle_id, shard_id)
    if not shard_ids:
        send_finish(cycle_id)


def send_finish(cycle_id: str) -> None:
    """Have a control worker take the final step."""
    _send(FINISH, CONTROL, f"{cycle_id}:finish", cycle_id)


def _send(name: str, queue: str, shown: str, *args: object, expires: float | None = None) -> None:
    # A task id that people can read, but new each time: a worker that met an expired message refuses every
    # later one of the same id.
    task_id = f"{shown}:{secrets.token_hex(3)}"
    try:
        app.send_task(name, args, queue=queue, task_id=task_id, ignore_result=True, expires=expires)
    except OperationalError as error:
        raise BrokerError(
            f"the broker takes no messages: {str(error).removesuffix('.')}. Next: check that the server runs "
            "and that the broker URL is right; `recon doctor` tries it.",
        ) from error
