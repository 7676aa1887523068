"""Leased tasks -> runs of scrapers: what cannot run is held, siblings are folded into one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recon.core.command_template import FILES, Hole, holes
from recon.core.command_values import NoValueError, Work, listed, single, words
from recon.core.printable import printable
from recon.core.scraper import Per, Scraper
from recon.core.spider_requests import requests
from recon.core.task_body import TaskBody

_NO_FILES: Mapping[str, str] = dict.fromkeys(FILES, "-")
_Scope = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a scraper: the works that it is for."""

    scraper: Scraper
    works: tuple[Work, ...]

    @property
    def size(self) -> int:
        """Return how many items rates count it as."""
        return sum(work.size for work in self.works)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys that it is to bring."""
        return tuple(key for work in self.works for key in work.keys)

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Return the tasks that it is for, each once."""
        return tuple(dict.fromkeys(work.task.id for work in self.works))

    def lines(self, now: datetime) -> tuple[str, ...]:
        """Return the lines of its ``{keys_file}``: its keys, or what a spider is asked for."""
        if self.scraper.feed is not None:
            return tuple(requests(self.scraper, self.works, now))
        return tuple(map(printable, self.keys))

    def words(self, now: datetime, files: Mapping[str, str]) -> list[str]:
        """Return its arguments, the program first."""
        return words(self.scraper, self.works, now, files)


@dataclass(frozen=True, slots=True)
class Held:
    """A task that no command can be made for, and why."""

    task: TaskBody
    why: str


@dataclass(frozen=True, slots=True)
class Runs:
    """What some tasks of one scraper come to."""

    runs: tuple[Run, ...]
    held: tuple[Held, ...]


def runs(scraper: Scraper, tasks: Iterable[TaskBody], now: datetime) -> Runs:
    """Return the runs for ``tasks``, in their order: a run stands where its first task does.

    Tasks of one scope (``per``) share a run where every placeholder that is one value has the same for them,
    and within ``limits.items``.
    """
    folded: dict[_Scope, list[Work]] = {}
    held = []
    for task in tasks:
        try:
            for number, work in enumerate(_works(scraper, task)):
                words(scraper, [work], now, _NO_FILES)
                deque(requests(scraper, [work], now), maxlen=0)
                folded.setdefault(_scope(scraper, work, number), []).append(work)
        except NoValueError as error:
            held.append(Held(task, str(error)))
    unfit = {one.task.id for one in held}
    kept = [[work for work in works if work.task.id not in unfit] for works in folded.values()]
    cut = [piece for works in kept if works for piece in _pieces(works, scraper.items_max)]
    return Runs(tuple(Run(scraper, piece) for piece in cut), tuple(held))


def _works(scraper: Scraper, task: TaskBody) -> list[Work]:
    items = task.document.get("items")
    whole = tuple(item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    if scraper.per is not Per.ITEM or len(task.keys) != len(whole) or not whole:
        return [Work(task, task.keys, whole)]
    return [Work(task, (key,), (item,)) for key, item in zip(task.keys, whole, strict=True)]


def _scope(scraper: Scraper, work: Work, number: int) -> _Scope:
    body = work.task
    match scraper.per:
        case Per.TASK:
            return (body.id,)
        case Per.ITEM:
            return (body.id, str(number))
        case Per.PARTITION:
            pairs = [text for pair in sorted(body.partition.items()) for text in pair]
            return (body.source, *pairs, "\0", *_singles(scraper, work))
        case Per.SOURCE:
            return (body.source, "\0", *_singles(scraper, work))


def _singles(scraper: Scraper, work: Work) -> Iterable[str]:
    for hole in holes(scraper.command):
        if hole.name == "args":
            yield from (*listed(hole, scraper, [work]), "\0")
        elif _is_single(hole):
            yield single(hole, scraper, work)


def _is_single(hole: Hole) -> bool:
    return not hole.is_list and hole.name not in (*FILES, "days_back")


def _pieces(works: Sequence[Work], most: int | None) -> list[tuple[Work, ...]]:
    """Return ``works`` cut so that no piece holds more than ``most`` items; a task is never cut."""
    pieces: list[list[Work]] = []
    size = 0
    for work in works:
        if not pieces or (most is not None and size + work.size > most):
            pieces.append([])
            size = 0
        pieces[-1].append(work)
        size += work.size
    return [tuple(piece) for piece in pieces]
