"""Plan the shards of one cycle: what must be looked at, and where to cut it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from recon.core.selection import selected, selected_prefixes
from recon.core.shards import RANGES_PER_SHARD, cover, sampled, shards, split_points
from recon.errors import LakeError, LakeUnreachableError
from recon.memory import Hints
from recon.plan import Judgement, PlannedRange, PlannedShard
from recon.ports import Folders, Lister

#: A cold start looks for this many folders to cut at, with at most this many requests.
_FOLDERS_WANTED = 128
_REQUESTS_MAX = 128
_CONNECTIONS = 16


def planned_shards(lister: Lister, judged: Judgement, hints: Hints) -> tuple[PlannedShard, ...]:
    """Return shards that tile everything the plan must look at.

    Cut points are the last cycle's page boundaries; at a cold start, folders found breadth-first. A backend
    whose order cannot be trusted is listed by whole prefixes.
    """
    options = judged.plan.options
    wanted: list[bytes] = []
    for domain in judged.domains:
        wanted.extend(selected_prefixes(domain, selected(domain, options.select)))
    prefixes = cover(wanted, [prefix.encode() for prefix in options.scope])
    points: Sequence[bytes] = ()
    if hints.ordered:
        points = hints.boundaries or split_points(_folders(lister, prefixes), _FOLDERS_WANTED)
    target = max(1, min(options.shards, -(-max(len(points), len(prefixes)) // RANGES_PER_SHARD)))
    whole = shards(prefixes, points, target=target)
    seed = int.from_bytes(blake2b(judged.plan.cycle_id.encode(), digest_size=8).digest(), "big")
    chosen = {shard.id for shard in sampled(whole, options.sample_rate, seed)}
    return tuple(
        PlannedShard(
            shard.id,
            tuple(PlannedRange(span.prefix, span.start_after, span.end) for span in shard.ranges),
            shard.id in chosen,
        )
        for shard in whole
    )


def _folders(lister: Lister, prefixes: Sequence[bytes]) -> list[bytes]:
    """Return folder prefixes, level by level, until there are enough to cut at."""
    found: list[bytes] = []
    level = list(prefixes)
    requests = 0
    with ThreadPoolExecutor(max_workers=_CONNECTIONS, thread_name_prefix="folders") as pool:
        while level and len(found) < _FOLDERS_WANTED and requests < _REQUESTS_MAX:
            asked = level[: _REQUESTS_MAX - requests]
            answers = list(pool.map(lambda prefix: _look(lister, prefix), asked))
            requests += sum(answer.requests for answer in answers)
            level = [child for answer in answers for child in answer.prefixes]
            found.extend(level)
    return found


def _look(lister: Lister, prefix: bytes) -> Folders:
    """Return one level; nothing where it cannot be seen (the shard that lists it will say why)."""
    try:
        return lister.folders(prefix)
    except LakeUnreachableError:
        raise
    except LakeError:
        return Folders((), 0, 1)
