"""How a worker's many threads take memory: from one heap, and give it back.

With a heap for each thread, as the allocators of Arrow, Polars and the C library keep them, a scan worker
held twice the memory for the same pages, and took longer.

A block that is mapped by itself is given back at once, and faulted in anew the next time. Mapping from
128 KiB on cost a report of 10 million rows 2.6 of 8.7 CPU seconds; from 4 MiB on, a listing holds no more.
"""

from __future__ import annotations

import ctypes
import os
import sys

#: glibc's parameters, from <malloc.h>: heaps at most; bytes from which a block is mapped, and given back.
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
_MAPPED_FROM = 1 << 22


def share_one_heap() -> None:
    """Make this process' threads share one heap; call it before Arrow and Polars are imported.

    Another C library than glibc has no such parameters, and keeps its own ways.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,tcache:false")
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _MAPPED_FROM)
