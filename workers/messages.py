"""The tasks' names and queues, and how to send them without importing what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.app import app

CONTROL = "recon.control"
SCAN = "recon.scan"
BEGIN = "recon.begin"
FINISH = "recon.finish"
SCAN_SHARD_AGAIN = "recon.scan_shard_again"


def send_begin(cycle_id: str, flags: Mapping[str, Any]) -> None:
    """Have a control worker plan a cycle and send its shards out."""
    app.send_task(BEGIN, (cycle_id, dict(flags)), queue=CONTROL, ignore_result=True)


def send_again(cycle_id: str, shard_ids: Sequence[str]) -> None:
    """Send lost shards out again, or the final step where none is left."""
    for shard_id in shard_ids:
        app.send_task(SCAN_SHARD_AGAIN, (cycle_id, shard_id), queue=SCAN, ignore_result=True)
    if not shard_ids:
        send_finish(cycle_id)


def send_finish(cycle_id: str) -> None:
    """Have a control worker take the final step."""
    app.send_task(FINISH, (cycle_id,), queue=CONTROL, ignore_result=True)
