"""The names of the queues' keys in Redis, in the order that the scripts take them (``lua/queue.lua``)."""

from __future__ import annotations

from recon.model import Priority

_BOOKS = ("body", "meta", "lease", "stats")
_SETS = ("cool", "acked", "dead", "deadbody", "src", "wake")


class QueueKeys:
    """The keys under one prefix; on a Cluster it needs a hash tag (``{recon}``)."""

    def __init__(self, prefix: str) -> None:
        self.lists = [f"{prefix}:queue:{level.label}" for level in Priority]
        self.meta = f"{prefix}:q:meta"
        self.stats = f"{prefix}:q:stats"
        self.lake = f"{prefix}:q:lake"
        self.wake = f"{prefix}:q:wake"
        self.turn = f"{prefix}:q:turn"
        self.results = f"{prefix}:results"
        self.processing = f"{prefix}:processing:"
        books = [f"{prefix}:q:{name}" for name in _BOOKS]
        sets = [f"{prefix}:q:{name}" for name in _SETS]
        self.all = [*self.lists, *books, self.lake, f"{prefix}:cycle:fence", *sets, self.results]
