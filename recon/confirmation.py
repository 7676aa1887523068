"""Look again, live, where an older observation cannot tell: at what came due since, then at its gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain, islice
from operator import itemgetter

import numpy as np
from pyroaring import BitMap

from recon.comparison import GAPS, Comparison
from recon.core.block import Ordinals, bitmap, ordinals_of
from recon.core.domain import Domain
from recon.core.lake_clock import correction_s
from recon.core.looks import Interval, Look, looks, pieces, price, strides
from recon.core.rank import ranked
from recon.core.second_look import SecondLook, young
from recon.core.segment import Mask
from recon.core.selection import selected
from recon.core.shards import observed, successor
from recon.core.verdicts import unobserved
from recon.live_look import LiveLook
from recon.model import KeyRange, Kind, Priority
from recon.plan import Judgement, instant
from recon.ports import Lister
from recon.threads import Threads

_UNLIMITED = 1 << 40
#: Looks at the same time.
_LANES = 32
#: Domains that are looked at beside each other: most have few keys, and each waits for its slowest answer.
_BESIDE = 8
#: Objects of a page of a listing.
_PAGE = 1000
#: Pages after which a run of a sweep is cut, and into how many.
_STRIDE_PAGES, _BRANCHES = 3, 4
#: Gaps that a sweep holds in memory at most.
_SWEEP_GAPS = 500_000
#: Keys that are looked at in one step at most: a second look bounds its memory, too.
_STEP_KEYS = 100_000


def confirmed(lister: Lister, found: Comparison) -> SecondLook:
    """Return a second look at what ``found`` cannot tell, or shows as gaps, within the plan's requests.

    What came due since the observation comes first, and of a kept one what is likely to have changed; then
    gaps: all at once where listing past them is cheaper, else from CRITICAL to LOW. A look that fails, or
    that is not made, says nothing: its keys stay as they are, unknown or unconfirmed.
    """
    judged, options = found.judged, found.judged.plan.options
    most = _UNLIMITED if options.requests_max is None else options.requests_max
    looked: dict[int, BitMap] = {}
    with Threads(_LANES, thread_name_prefix="look") as lanes:
        live = LiveLook(lister, most, judged.plan.ordered, lanes)
        _look_at(live, judged, looked, _changing(found))
        live.left = min(live.left, options.confirm_requests_max)
        _sweep(live, found, looked)
        for level in _by_urgency(found, looked):
            _look_at(live, judged, looked, level)
    sketcher = judged.sketcher()
    objects = live.found()
    if objects is not None:
        sketcher.add(objects, ascending=False, ahead_s=correction_s(live.skew_s))
    return SecondLook(looked, sketcher.domains(), live.lists, live.gets, tuple(sorted(live.failures)))


def _look_at(
    live: LiveLook, judged: Judgement, looked: dict[int, BitMap], wanted: Iterator[tuple[int, Ordinals]]
) -> None:
    """Look at ordinals of domains until nothing more may be asked; note those that were seen."""

    def look(item: tuple[int, Ordinals]) -> BitMap:
        return _look(live, judged.domains[item[0]], item[1])

    with Threads(_BESIDE, thread_name_prefix="beside") as beside:
        while live.left > 0 and (some := list(islice(wanted, _BESIDE))):
            for (number, _), done in zip(some, beside.map(look, some), strict=True):
                if done:
                    looked[number] = looked.get(number, BitMap()) | done


def _sweep(live: LiveLook, found: Comparison, looked: dict[int, BitMap]) -> None:
    """Look at all gaps by listing from one to the next, where that costs less than folder by folder.

    It takes no more requests than there are gaps, nor than a listing of everything, but for one a lane.
    """
    pages = sum(result.facts.objects for result in found.sketch.shards.values()) // _PAGE + _LANES
    gaps = {number: bits for number, bits in _all_gaps(found, looked).items() if bits}
    number_of_gaps = sum(map(len, gaps.values()))
    if not live.ordered or pages > live.left or not pages < number_of_gaps < _SWEEP_GAPS:
        return
    domains = found.judged.domains
    wanted = {number: _wanted(domains[number], ordinals_of(bits)) for number, bits in gaps.items()}
    if sum(own.price for own in wanted.values()) <= pages:
        return
    points = sorted({key for result in found.sketch.shards.values() for key in result.facts.boundaries})
    items = sorted(
        (
            (low, end, number, place)
            for number, own in wanted.items()
            for place, interval in enumerate(own.intervals)
            for low, end in pieces(interval, points)
        ),
        key=itemgetter(0),
    )
    for _, _, number, place in items:
        wanted[number].left[place] += 1

    for low, reached in _swept(live, [(low, end) for low, end, _, _ in items]):
        for _, _, number, place in items[low:reached]:
            wanted[number].left[place] -= 1
    for number, own in wanted.items():
        done = own.settled(domains[number])
        if done:
            looked[number] = looked.get(number, BitMap()) | done


def _swept(live: LiveLook, intervals: Sequence[Interval]) -> Iterator[tuple[int, int]]:
    """Yield the runs of ascending intervals that became known; a long one is cut for idle lanes."""

    def stride(low: int, high: int) -> tuple[int, int, int]:
        return low, low + live.listed(intervals[low:high], _STRIDE_PAGES), high

    running = {live.lanes.submit(stride, *run) for run in strides(len(intervals), _LANES)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for low, reached, high in (one.result() for one in done):
            yield low, reached
            if low < reached < high:
                cut = strides(high - reached, _BRANCHES)
                running |= {live.lanes.submit(stride, reached + a, reached + b) for a, b in cut}


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """Gaps of one domain as intervals of keys; ``places`` tells the interval of each ordinal.

    ``left`` counts the pieces of each interval that are not known.
    """

    ordinals: Ordinals
    intervals: list[Interval]
    places: Ordinals
    left: Ordinals
    price: float

    def settled(self, domain: Domain) -> BitMap:
        """Return the ordinals of which everything was seen; of a counted domain, whole partitions."""
        seen = self.left[self.places] == 0
        if domain.kind is Kind.EXACT:
            return bitmap(self.ordinals[seen])
        return _in_whole_partitions(domain, self.ordinals, seen)


def _wanted(domain: Domain, ordinals: Ordinals) -> _Wanted:
    """Return what to look at for some ordinals: their keys, or the prefixes that hold their objects."""
    if domain.kind is Kind.EXACT:
        keys = domain.decode(ordinals)
        intervals: list[Interval] = [(raw, raw + b"\0") for raw in map(str.encode, keys.to_list())]
        return _Wanted(
            ordinals, intervals, np.arange(len(keys)), np.zeros(len(keys), dtype=np.int64), price(keys)
        )
    prefixes, places = np.unique(domain.prefixes(ordinals).to_numpy().astype(object), return_inverse=True)
    intervals = [(raw, successor(raw)) for raw in map(str.encode, prefixes.tolist())]
    return _Wanted(ordinals, intervals, places, np.zeros(len(prefixes), dtype=np.int64), float(len(prefixes)))


def _all_gaps(found: Comparison, looked: Mapping[int, BitMap]) -> dict[int, BitMap]:
    """Return the gaps of each domain that were not looked at yet, whatever their level."""
    return {
        number: BitMap.union(*_gaps(found, number).values()) - looked.get(number, BitMap())
        for number in range(len(found.judged.domains))
    }


def _changing(found: Comparison) -> Iterator[tuple[int, Ordinals]]:
    """Yield (domain number, ordinals) of what is unknown (new, or due since), or lies in the live window."""
    judged, plan = found.judged, found.judged.plan
    inside = observed(KeyRange(prefix.encode()) for prefix in plan.options.scope)
    since = plan.as_of
    if plan.kept is not None:
        since = min(since, plan.started_at - timedelta(seconds=plan.options.live_window_s))
    for number, domain in enumerate(judged.domains):
        changing = young(domain, instant(since), plan.now) | found.unknown(number)
        if plan.options.select:
            changing &= selected(domain, plan.options.select)
        if plan.options.scope:
            changing -= unobserved(domain, inside, changing)
        yield from _steps(number, _whole(domain, changing))


def _by_urgency(found: Comparison, looked: Mapping[int, BitMap]) -> Iterator[Iterator[tuple[int, Ordinals]]]:
    """Yield (domain number, ordinals) of gaps that were not looked at yet, by level, CRITICAL first."""
    gaps = {number: _gaps(found, number) for number in range(len(found.judged.domains))}
    for level in Priority:
        left = {
            number: own.get(level, BitMap()) - looked.get(number, BitMap()) for number, own in gaps.items()
        }
        yield chain.from_iterable(_steps(number, bits) for number, bits in left.items())


def _steps(number: int, bits: BitMap) -> Iterator[tuple[int, Ordinals]]:
    every = ordinals_of(bits)
    for start in range(0, len(every), _STEP_KEYS):
        yield number, every[start : start + _STEP_KEYS]


def _gaps(found: Comparison, number: int) -> dict[Priority, BitMap]:
    """Return the ordinals of a domain's gaps, by level."""
    domain, plan = found.judged.domains[number], found.judged.plan
    if domain.kind is not Kind.EXACT:
        return _short(found, number)
    ordinals = ordinals_of(BitMap.union(*(found.verdicts[number][verdict] for verdict in GAPS)))
    priorities = ranked(domain, ordinals, plan.options.policy, plan.now).priorities
    return {level: bitmap(ordinals[priorities == level]) for level in Priority}


def _short(found: Comparison, number: int) -> dict[Priority, BitMap]:
    """Return the ordinals of the partitions that lack objects, by the level of their gaps."""
    domain = found.judged.domains[number]
    levels = {gap.partition: gap.priority for gap in found.gaps if gap.is_of(domain)}
    every = np.arange(domain.size, dtype=np.int64)
    own = np.array([levels.get(label, -1) for label in domain.partitions.labels], dtype=np.int64)
    numbers = own[domain.partition(every)]
    return {level: bitmap(every[numbers == level]) for level in Priority}


def _whole(domain: Domain, ordinals: BitMap) -> BitMap:
    """Return all ordinals of the partitions that hold some, where a domain is counted per partition."""
    if domain.kind is Kind.EXACT or not ordinals:
        return ordinals
    every = np.arange(domain.size, dtype=np.int64)
    numbers = domain.partition(every)
    return bitmap(every[np.isin(numbers, np.unique(numbers[ordinals_of(ordinals)]))])


def _look(live: LiveLook, domain: Domain, ordinals: Ordinals) -> BitMap:
    """Look at some ordinals of a domain; return those of which everything was seen."""
    if domain.kind is Kind.EXACT:
        of_folders = looks(domain.decode(ordinals), ordinals)
        done = list(live.lanes.map(partial(_of_folder, live), of_folders))
        return BitMap.union(*done) if done else BitMap()
    prefixes = domain.prefixes(ordinals)
    own = prefixes.unique().to_list()
    whole = dict(zip(own, live.lanes.map(live.below, own), strict=True))
    seen = np.array([whole[prefix] for prefix in prefixes], dtype=np.bool_)
    return _in_whole_partitions(domain, ordinals, seen)


def _in_whole_partitions(domain: Domain, ordinals: Ordinals, seen: Mask) -> BitMap:
    """Return the ordinals of those partitions all of whose ordinals were ``seen``."""
    numbers = domain.partition(ordinals)
    return bitmap(ordinals[~np.isin(numbers, numbers[~seen])])


def _of_folder(live: LiveLook, look: Look) -> BitMap:
    """Look at keys of one folder; return the ordinals of those that were seen to be there or not."""
    return bitmap(look.ordinals[: live.of_folder(look)])
