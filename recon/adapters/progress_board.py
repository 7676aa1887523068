"""How far the shards of a cycle are, on Redis: for the bar that people watch, never for a decision.

Owns, under a prefix P, ``P:cycle:<id>:seen``: HASH shard id -> JSON [label, objects, requests, ended].
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from recon.model import ShardProgress

if TYPE_CHECKING:  # ports describe Arrow batches; who only watches a cycle does without Arrow
    from recon.ports import Broker

#: Seconds the words of a cycle are kept after its last shard spoke.
KEEP_S = 3600


class RedisProgressBoard:
    """A ``ProgressBoard`` on Redis."""

    def __init__(self, broker: Broker, *, prefix: str = "recon") -> None:
        self._broker = broker
        self._prefix = f"{prefix}:cycle"

    def put(self, cycle_id: str, shard_id: str, progress: ShardProgress) -> None:
        """Say how far a shard is; the last word counts."""
        key = f"{self._prefix}:{cycle_id}:seen"
        words = json.dumps([progress.label, progress.objects, progress.requests, progress.ended])
        self._broker.command("HSET", key, shard_id, words)
        self._broker.command("EXPIRE", key, KEEP_S)

    def read(self, cycle_id: str) -> dict[str, ShardProgress]:
        """Return shard id -> progress of every shard that was begun."""
        pairs: dict[bytes, bytes] = self._broker.command("HGETALL", f"{self._prefix}:{cycle_id}:seen")
        return {shard.decode(): ShardProgress(*json.loads(words)) for shard, words in pairs.items()}
