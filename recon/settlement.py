"""Settle what scrapers claim: look at just those keys, close the gap, or reopen it with one attempt more.

Redelivery changes no answer: a task is closed or reopened once, and a result stays on its list until what it
claims was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from recon.claim_books import load_claims, save_claims
from recon.core.claims import ClaimRules
from recon.core.looks import looks
from recon.core.scraper_result import read_result
from recon.core.task_body import TaskBody, read_body
from recon.core.verification import Borne, SeenObject, borne_out, first_seen, names_of, narrowed, scraper_of
from recon.live_look import LiveLook
from recon.memory import Hints
from recon.model import OutstandingTask, ScrapeTask, Settlement, TaskState
from recon.ports import Lister, StateStore, TaskQueue, TaskResult
from recon.threads import Threads

#: Seconds that one settlement may take before another may begin.
TURN_S = 120.0
#: Results, and claimed tasks, of one settlement at most.
_RESULTS, _TASKS = 2_000, 400
_LANES = 16


@dataclass(slots=True)
class Settled:
    """What one settlement came to, in tasks; ``paused`` names scrapers that it stopped.

    ``left`` holds the states of what is outstanding after it.
    """

    closed: int = 0
    reopened: int = 0
    dead: int = 0
    waiting: int = 0
    failed: int = 0
    absent: int = 0
    lists: int = 0
    gets: int = 0
    left: frozenset[TaskState] = frozenset()
    paused: list[str] = field(default_factory=list)
    failures: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether the queues have room now, or a task to give, that they had not before."""
        return bool(self.closed or self.dead or self.absent or self.failed)


@dataclass(frozen=True, slots=True)
class Settling:
    """What a settlement speaks to, and by which rules."""

    lister: Lister
    state: StateStore
    queue: TaskQueue
    clock: Callable[[], datetime]
    lake: str
    rules: ClaimRules
    requests_max: int = 1000


def settle(ports: Settling) -> Settled | None:
    """Settle what is claimed now; None where another process is at it."""
    with ports.queue.turn(TURN_S) as mine:
        return _Pass(ports).settled() if mine else None


def conclude_claims(ports: Settling, as_of: datetime, refuted: Sequence[ScrapeTask]) -> None:
    """Note the claims that a complete look from ``as_of`` on refuted; forget what it has seen for itself."""
    with ports.queue.turn(TURN_S) as mine:
        if not mine:
            return
        claims, now = load_claims(ports.state), ports.clock()
        for task in refuted:
            body = read_body(task)
            if body is not None:
                claims.note_refuted(scraper_of(body), names_of(body), now, ports.rules)
        claims.forget_filled(as_of)
        save_claims(ports.state, claims)


class _Pass:
    """One settlement: what was said, what is claimed, and the books it goes into."""

    def __init__(self, ports: Settling) -> None:
        self._ports = ports
        self._queue = ports.queue
        self._now = ports.clock()
        self._claims = load_claims(ports.state)
        self._done = Settled()
        self._raws = ports.queue.results(_RESULTS)
        self._results = [read_result(raw) for raw in self._raws]
        self._said = {one.id: one for one in self._results if one is not None and one.status is not None}
        self._bodies: dict[str, TaskBody] = {}

    def settled(self) -> Settled:
        self._settle_plain()
        self._queue.tick()
        outstanding = self._outstanding()
        told_of = [task for task in outstanding if task.state is TaskState.CLAIMED or task.id in self._said]
        self._bodies = {task.id: body for task in told_of if (body := read_body(task)) is not None}
        self._note_failures()
        # A claim without keys is judged by the next look at everything.
        named = [
            task
            for task in outstanding
            if task.state is TaskState.CLAIMED and task.id in self._bodies and self._bodies[task.id].keys
        ]
        self._judge(named[:_TASKS])
        self._note_dead()
        has_withdrawn = self._withdraw_paused()
        save_claims(self._ports.state, self._claims)
        left = self._outstanding() if named or has_withdrawn else outstanding
        waiting = {task.id for task in left if task.state is TaskState.CLAIMED}
        self._done.waiting, self._done.left = len(waiting), frozenset(task.state for task in left)
        read = zip(self._raws, self._results, strict=True)
        self._queue.collect([raw for raw, one in read if one is None or one.id not in waiting])
        return self._done

    def _outstanding(self) -> list[OutstandingTask]:
        return self._queue.outstanding(self._ports.lake)

    def _settle_plain(self) -> None:
        """Settle what plain consumers said; a lease's result was settled when it was pushed."""
        self._queue.settle(
            [
                TaskResult(one.id, one.status, error=one.error)
                for one in self._said.values()
                if one.status is not None and not one.token
            ]
        )

    def _note_failures(self) -> None:
        for one in self._said.values():
            body = self._bodies.get(one.id)
            if one.status is not Settlement.FAILED or body is None:
                continue
            self._done.failed += 1
            scraper = scraper_of(body)
            if self._claims.note_failed(scraper, one.error, self._now, self._ports.rules):
                self._done.paused.append(scraper)

    def _judge(self, tasks: Sequence[OutstandingTask]) -> None:
        """Close the tasks whose keys are there, and reopen the others for what they lack."""
        looked_at, objects = self._looked([key for task in tasks for key in self._bodies[task.id].keys])
        closing: list[str] = []
        reopening: list[ScrapeTask] = []
        for task in tasks:
            body = self._bodies[task.id]
            borne = borne_out(body, looked_at, objects)
            if borne.unseen:
                continue
            lacking = self._noted(task, body, borne)
            if lacking:
                reopening.append(narrowed(task, body, lacking))
            else:
                closing.append(task.id)
        self._done.closed += list(self._queue.close(closing).values()).count("closed")
        words = list(self._queue.reopen(reopening).values())
        self._done.reopened += words.count("reopened")
        self._done.dead += words.count("dead")

    def _noted(self, task: OutstandingTask, body: TaskBody, borne: Borne) -> list[str]:
        """Note in the books what a claim came to; return the keys that are still to be had."""
        claims, rules, scraper = self._claims, self._ports.rules, scraper_of(body)
        said = self._said.get(task.id)
        told = [key for key in borne.lacking if said is None or said.keys is None or key in said.keys]
        if borne.there:
            claims.note_filled(scraper, borne.there, first_seen(body), self._now)
        if task.token == Settlement.ABSENT.value:
            claims.note_absent(told, "" if said is None else said.evidence, self._now)
            self._done.absent += 1
        elif (
            task.token == Settlement.DONE.value
            and told
            and claims.note_refuted(scraper, told, self._now, rules)
        ):
            self._done.paused.append(scraper)
        return [
            key
            for key in borne.lacking
            if not claims.is_quarantined(key, rules) and not claims.is_absent(key, self._now)
        ]

    def _looked(self, keys: Sequence[str]) -> tuple[set[str], dict[str, SeenObject]]:
        """Look at keys, live; return those that were seen to be there or not, and the objects that are."""
        if not keys:
            return set(), {}
        column = pl.Series(sorted(set(keys)), dtype=pl.String)
        wanted = list(looks(column, np.arange(len(column))))
        known: set[str] = set()
        ordered = Hints.load(self._ports.state, self._ports.lake).ordered
        with Threads(_LANES, thread_name_prefix="verify") as lanes:
            live = LiveLook(self._ports.lister, self._ports.requests_max, ordered=ordered, lanes=lanes)
            for look, reached in zip(wanted, lanes.map(live.of_folder, wanted), strict=True):
                known.update(look.keys[:reached].to_list())
        self._done.lists, self._done.gets = live.lists, live.gets
        self._done.failures = tuple(sorted(live.failures))
        found = live.found()
        if found is None:
            return known, {}
        rows = pl.DataFrame(found).with_columns(pl.col("key").cast(pl.String, strict=False))
        met = {key: SeenObject(size, mtime) for key, size, mtime in rows.drop_nulls("key").iter_rows()}
        return known, met

    def _note_dead(self) -> None:
        """Quarantine the keys of tasks that were given up."""
        for task in self._queue.dead():
            body = read_body(task)
            if body is not None:
                names, scraper = names_of(body), scraper_of(body)
                self._claims.note_dead(scraper, names, task.reason, self._now, self._ports.rules)

    def _withdraw_paused(self) -> bool:
        """Take the tasks that wait for a paused scraper out of the queues, if any; those for a probe stay."""
        paused = self._claims.paused() - self._claims.to_probe(self._now, self._ports.rules)
        waiting = [
            task.id
            for task in (self._outstanding() if paused else ())
            if task.is_ours and (body := read_body(task)) is not None and scraper_of(body) in paused
        ]
        if waiting:
            self._queue.withdraw(waiting, fence=None)
        return bool(waiting)
