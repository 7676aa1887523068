"""The scrapers' priority queues on Redis: plain lists to pop from, and the books beside them.

Keys, under a prefix P (each is described at the head of ``lua/queue.lua``): ``P:queue:critical``,
``P:queue:high``, ``P:queue:medium``, ``P:queue:low``, ``P:q:body``, ``P:q:meta``, ``P:q:gone``,
``P:q:stats``, ``P:q:lake``; reads ``P:cycle:fence``.

A consumer needs no more than ``BLPOP P:queue:critical P:queue:high P:queue:medium P:queue:low 2``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched_pairs
from typing import Any

from recon.model import OutstandingTask, Priority, ScrapeTask
from recon.ports import Broker

#: Outstanding tasks per level at most (ready and popped together).
DEFAULT_CAPS: Mapping[Priority, int] = {
    Priority.CRITICAL: 100,
    Priority.HIGH: 300,
    Priority.MEDIUM: 400,
    Priority.LOW: 200,
}
#: Tasks per script: it blocks the server for a few ms (1,000 at once: 25 ms).
BATCH = 200
