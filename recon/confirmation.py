"""Look again, live, where an older observation cannot tell: at what came due since, then at its gaps."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain, islice

import numpy as np
import polars as pl
import pyarrow as pa
from pyroaring import BitMap

from recon.comparison import GAPS, Comparison
from recon.core.block import Ordinals, bitmap, ordinals_of
from recon.core.domain import Domain
from recon.core.looks import Look, just_before, looks, price, shared_folder, strides
from recon.core.rank import ranked
from recon.core.second_look import SecondLook, young
from recon.core.selection import selected
from recon.core.shards import observed
from recon.core.sketcher import Sketcher
from recon.core.verdicts import unobserved
from recon.errors import LakeError
from recon.model import KeyRange, Kind, Priority
from recon.plan import Judgement, instant
from recon.ports import LISTING_SCHEMA, Lister, Page

_UNLIMITED = 1 << 40
#: Looks at the same time.
_LANES = 32
#: Domains that are looked at beside each other: most have few keys, and each waits for its slowest answer.
_BESIDE = 8
#: Objects of a page of a listing.
_PAGE = 1000
#: Keys that are looked at in one step at most: a second look bounds its memory, too.
_STEP_KEYS = 100_000


class _Spent(Exception):  # noqa: N818 - no error: the requests that this look may cost are used up
    """Raised when nothing more may be asked."""


_Step = Callable[["_Session", Sequence[bytes]], Iterator[int]]


@dataclass(eq=False)
class _Session:
    """One second look: what it may still ask, and what it has found; safe to use from its threads."""

    lister: Lister
    left: int
    ordered: bool
    lanes: Executor
    lock: threading.Lock = field(default_factory=threading.Lock)
    lists: int = 0
    gets: int = 0
    rows: list[pa.RecordBatch] = field(default_factory=list)
    failures: set[str] = field(default_factory=set)

    def take(self) -> None:
        """Count a request that is about to be made; raise ``_Spent`` where none may be."""
        with self.lock:
            if self.left <= 0:
                raise _Spent
            self.left -= 1

    def got(self, page: Page) -> None:
        """Keep the answer for one key."""
        with self.lock:
            self.gets += page.requests
        self.keep(page.batch)

    def keep(self, batch: pa.RecordBatch) -> None:
        """Keep objects that were found."""
        if batch.num_rows:
            with self.lock:
                self.rows.append(batch)

    def listed(self, span: KeyRange) -> Generator[Page]:
        """Yield the pages of a range, each counted."""
        self.take()
        with closing(self.lister.pages(span)) as pages:
            for page in pages:
                with self.lock:
                    self.lists += page.requests
                yield page
                if page.more:
                    self.take()

    def failed(self, error: LakeError) -> None:
        """Keep why something could not be seen."""
        with self.lock:
            self.failures.add(str(error))
            self.lists += error.requests


def confirmed(lister: Lister, found: Comparison) -> SecondLook:
    """Return a second look at what ``found`` cannot tell, or shows as gaps, within the plan's requests.

    What came due since the observation comes first, and of a kept one what is likely to have changed; then
    gaps: all at once where listing past them is cheaper, else from CRITICAL to LOW. A look that fails, or
    that is not made, says nothing: its keys stay as they are, unknown or unconfirmed.
    """
    judged, options = found.judged, found.judged.plan.options
    most = _UNLIMITED if options.requests_max is None else options.requests_max
    looked: dict[int, BitMap] = {}
    with ThreadPoolExecutor(_LANES, thread_name_prefix="look") as lanes:
        session = _Session(lister, most, judged.plan.ordered, lanes)
        _look_at(session, judged, looked, _changing(found))
        session.left = min(session.left, options.confirm_requests_max)
        _sweep(session, found, looked)
        for level in _by_urgency(found, looked):
            _look_at(session, judged, looked, level)
    sketcher = Sketcher(judged.domains, judged.plan.now, judged.ignored)
    if session.rows:
        sketcher.add(_once(session.rows), ascending=False)
    return SecondLook(
        looked, sketcher.domains(), session.lists, session.gets, tuple(sorted(session.failures))
    )


def _look_at(
    session: _Session, judged: Judgement, looked: dict[int, BitMap], wanted: Iterator[tuple[int, Ordinals]]
) -> None:
    """Look at ordinals of domains until nothing more may be asked; note those that were seen."""

    def look(item: tuple[int, Ordinals]) -> BitMap:
        return _look(session, judged.domains[item[0]], item[1])

    with ThreadPoolExecutor(_BESIDE, thread_name_prefix="beside") as beside:
        while session.left > 0 and (some := list(islice(wanted, _BESIDE))):
            for (number, _), done in zip(some, beside.map(look, some), strict=True):
                if done:
                    looked[number] = looked.get(number, BitMap()) | done


def _sweep(session: _Session, found: Comparison, looked: dict[int, BitMap]) -> None:
    """Look at all gaps by listing from one to the next, where that costs less than folder by folder.

    It takes no more requests than there are gaps, nor than a listing of everything, but for one a lane.
    """
    pages = sum(result.facts.objects for result in found.sketch.shards.values()) // _PAGE + _LANES
    if not session.ordered or pages > session.left:
        return
    domains = found.judged.domains
    gaps = {
        number: ordinals_of(BitMap.union(*(own[verdict] for verdict in GAPS)) - looked.get(number, BitMap()))
        for number, own in found.verdicts.items()
    }
    if sum(map(len, gaps.values())) < pages:
        return
    keys = pl.concat([domains[number].decode(ordinals) for number, ordinals in gaps.items()])
    if price(keys) <= pages:
        return
    order = keys.arg_sort().to_numpy()
    keys = keys.gather(order)
    ordinals = np.concatenate(list(gaps.values()))[order]
    numbers = np.repeat(list(gaps), [len(own) for own in gaps.values()])[order]

    def stride(run: tuple[int, int]) -> int:
        low, high = run
        return low + _known(session, [key.encode() for key in keys[low:high].to_list()], _listed)

    runs = list(strides(keys, _LANES))
    for (low, _), reached in zip(runs, session.lanes.map(stride, runs), strict=True):
        for number in np.unique(numbers[low:reached]).tolist():
            done = bitmap(ordinals[low:reached][numbers[low:reached] == number])
            looked[number] = looked.get(number, BitMap()) | done


def _once(rows: Sequence[pa.RecordBatch]) -> pa.Table:
    """Return objects that were met on several looks once: as the latest write shows them."""
    frame = pl.DataFrame(pa.Table.from_batches(rows, LISTING_SCHEMA))
    found: pa.Table = frame.sort("mtime").unique("key", keep="last", maintain_order=True).to_arrow()
    return found


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


def _look(session: _Session, domain: Domain, ordinals: Ordinals) -> BitMap:
    """Look at some ordinals of a domain; return those of which everything was seen."""
    if domain.kind is Kind.EXACT:
        of_folders = looks(domain.decode(ordinals), ordinals)
        done = list(session.lanes.map(partial(_of_folder, session), of_folders))
        return BitMap.union(*done) if done else BitMap()
    prefixes = domain.prefixes(ordinals)
    own = prefixes.unique().to_list()
    whole = dict(zip(own, session.lanes.map(partial(_below, session), own), strict=True))
    seen = np.array([whole[prefix] for prefix in prefixes], dtype=np.bool_)
    numbers = domain.partition(ordinals)
    return bitmap(ordinals[~np.isin(numbers, numbers[~seen])])


def _of_folder(session: _Session, look: Look) -> BitMap:
    """Look at keys of one folder; return the ordinals of those that were seen to be there or not."""
    keys = [key.encode() for key in look.keys.to_list()]
    return bitmap(
        look.ordinals[: _known(session, keys, _listed if look.dense and session.ordered else _asked)]
    )


def _known(session: _Session, keys: Sequence[bytes], step: _Step) -> int:
    """Take a step after the other over ascending keys; return how many of them are known then."""
    done = 0
    try:
        for reached in step(session, keys):
            done = reached
    except LakeError as error:
        session.failed(error)
    except _Spent:
        pass
    return done


def _asked(session: _Session, keys: Sequence[bytes]) -> Iterator[int]:
    """Ask for each key; yield how many are known."""
    for number, key in enumerate(keys, start=1):
        session.take()
        page = session.lister.look(key)
        session.got(page)
        yield number


def _listed(session: _Session, keys: Sequence[bytes]) -> Iterator[int]:
    """List from each key that is not known yet; yield how many are known. Each page makes one more known."""
    folder = shared_folder(keys[0], keys[-1])
    known = 0
    while known < len(keys):
        span = KeyRange(folder, just_before(keys[known]), keys[-1])
        with closing(session.listed(span)) as pages:
            for page in pages:
                session.keep(page.batch)
                last = page.batch.column("key")[-1].as_py() if page.batch.num_rows else b""
                reached = bisect_right(keys, last) if page.more else len(keys)
                if reached > known:
                    known = reached
                    yield known
                    break


def _below(session: _Session, prefix: str) -> bool:
    """List everything below a prefix; return whether all of it was seen."""
    try:
        for page in session.listed(KeyRange(prefix.encode())):
            session.keep(page.batch)
    except LakeError as error:
        session.failed(error)
        return False
    except _Spent:
        return False
    return True
