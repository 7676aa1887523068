"""Plan the shards of one cycle: what must be looked at, and where to cut it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from recon.aws_reports import AwsReport
from recon.core.selection import selected, selected_prefixes
from recon.core.shards import RANGES_PER_SHARD, cover, hints_inside, sampled, shards, split_points
from recon.errors import LakeError, LakeUnreachableError
from recon.memory import Hints
from recon.model import Notice, Shard
from recon.plan import Judgement, PlannedRange, PlannedReport, PlannedShard
from recon.ports import Folders, Lister, Order
from recon.threads import Threads

#: A cold start looks for this many folders to cut at, with at most this many requests.
_FOLDERS_WANTED = 128
_REQUESTS_MAX = 128
_CONNECTIONS = 16
#: Prefixes that are asked for the lake's order where its root may not be listed.
_ASKED_MAX = 4


@dataclass(frozen=True, slots=True)
class Sharding:
    """The shards of one cycle, whether the backend's order is trusted, and the requests planning took."""

    shards: tuple[PlannedShard, ...]
    ordered: bool
    requests: int = 0
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Points:
    """Where the key space may be cut."""

    keys: Sequence[bytes]
    order: Order
    requests: int = 0


def sharding(lister: Lister, judged: Judgement, hints: Hints) -> Sharding:
    """Return shards that tile everything the plan must look at.

    Cut points are the boundaries of earlier cycles; at a cold start, folders found breadth-first, once the
    lake has shown that a range may begin anywhere. A backend whose order cannot be trusted is listed by
    whole prefixes. A sample is drawn from shards as small as the points allow, so that it holds many.
    """
    options = judged.plan.options
    prefixes = scope(judged)
    points = _points(lister, prefixes, hints)
    rate = options.sample_rate
    ranges = len(points.keys) + len(prefixes)
    if rate is None:
        target = min(options.shards, -(-max(len(points.keys), len(prefixes)) // RANGES_PER_SHARD))
    else:
        target = min(int(options.shards / rate), ranges)
    target = max(1, target)
    each = RANGES_PER_SHARD if rate is None else -(-ranges // target)
    whole = shards(prefixes, points.keys, target=target, ranges_per_shard=each)
    seed = int.from_bytes(blake2b(judged.plan.cycle_id.encode(), digest_size=8).digest(), "big")
    chosen = {shard.id for shard in sampled(whole, rate, seed)}
    order = points.order
    return Sharding(
        tuple(_planned(shard, points.keys, scan=shard.id in chosen) for shard in whole),
        order.may_split,
        points.requests,
        () if order.may_split else (Notice(_CANNOT_SPLIT.format(order.detail)),),
    )


def scope(judged: Judgement) -> tuple[bytes, ...]:
    """Return the fewest prefixes that hold everything the plan must look at."""
    options = judged.plan.options
    wanted: list[bytes] = []
    for domain in judged.domains:
        wanted.extend(selected_prefixes(domain, selected(domain, options.select)))
    return cover(wanted, [prefix.encode() for prefix in options.scope])


def read_for(report: AwsReport, cover: tuple[bytes, ...]) -> PlannedReport:
    """Return a report as it is planned to be read: for the parts of the lake in ``cover``."""
    return PlannedReport(report.key, report.manifest, cover, report.root)


def by_files(report: PlannedReport, hints: Hints) -> Sharding:
    """Return the shards of a report: one for each of its data files.

    Whether the backend's order is trusted is known from earlier listings.
    """
    shards = tuple(
        PlannedShard(
            blake2b(file.key.encode(), digest_size=8).hexdigest(), (), weight=file.size, file=file.key
        )
        for file in report.manifest.files
    )
    return Sharding(shards, hints.ordered)


_CANNOT_SPLIT = (
    "the lake is listed by whole prefixes, one page after the other: {}. Nothing is lost by it but time."
)


def _points(lister: Lister, prefixes: Sequence[bytes], hints: Hints) -> _Points:
    if not hints.ordered:
        return _Points((), Order(may_split=False, requests=0, detail="an earlier listing came out of order"))
    if hints.boundaries or not prefixes:
        return _Points(hints.boundaries, Order(may_split=True, requests=0))
    with Threads(max_workers=_CONNECTIONS, thread_name_prefix="folders") as pool:
        asked = pool.submit(_order, lister, (b"", *prefixes[:_ASKED_MAX]))
        found = _folders(lister, prefixes, pool)
        order = asked.result()
    keys = split_points(found.prefixes, _FOLDERS_WANTED) if order.may_split else ()
    return _Points(keys, order, found.requests + order.requests)


def _folders(lister: Lister, prefixes: Sequence[bytes], pool: Threads) -> Folders:
    """Return folder prefixes, level by level, until there are enough to cut at."""
    found: list[bytes] = []
    level = list(prefixes)
    requests = 0
    while level and len(found) < _FOLDERS_WANTED and requests < _REQUESTS_MAX:
        asked = level[: _REQUESTS_MAX - requests]
        answers = list(pool.map(lambda prefix: _look(lister, prefix), asked))
        requests += sum(answer.requests for answer in answers)
        level = [child for answer in answers for child in answer.prefixes]
        found.extend(level)
    return Folders(tuple(found), 0, requests)


def _look(lister: Lister, prefix: bytes) -> Folders:
    """Return one level; nothing where it cannot be seen (the shard that lists it will say why)."""
    try:
        return lister.folders(prefix)
    except LakeUnreachableError:
        raise
    except LakeError as error:
        return Folders((), 0, error.requests)


def _order(lister: Lister, places: Sequence[bytes]) -> Order:
    """Return what the first of ``places`` that can be listed shows; if none can, the shards will say why."""
    requests = 0
    for place in places:
        try:
            order = lister.order(place)
        except LakeUnreachableError:
            raise
        except LakeError as error:
            requests += error.requests
        else:
            return replace(order, requests=order.requests + requests)
    return Order(may_split=True, requests=requests)


def _planned(shard: Shard, points: Sequence[bytes], *, scan: bool) -> PlannedShard:
    spans = tuple(PlannedRange(span.prefix, span.start_after, span.end) for span in shard.ranges)
    # Between two points lies one distance; beside a prefix's open end, half of one on average.
    weight = sum(2 * hints_inside(span, points) + (span.end is None) for span in shard.ranges)
    return PlannedShard(shard.id, spans, scan, weight)
