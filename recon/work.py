"""``recon work``: takes tasks from the queues, runs their scrapers, and says what became of them.

Nothing that was leased is dropped: it is settled, or released, or comes back when its lease ends.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import TypeAlias

from recon.core.command_template import holes
from recon.core.printable import printable
from recon.core.roster import Roster
from recon.core.run_outcome import Ended
from recon.core.runs import Run, runs
from recon.core.scraper import Per, Scraper
from recon.core.tally import Tally
from recon.core.task_body import TaskBody, read_body
from recon.errors import ArgumentsTooLongError, CannotStartError
from recon.lease_keeper import LeaseKeeper
from recon.model import Lease
from recon.ports import Command, Leases, Process, Processes
from recon.queue_line import QueueLine
from recon.work_book import WorkBook

#: Tasks that one run may be folded from.
FOLD_MAX = 500
#: Seconds between looks for new tasks while there is room for a run.
POLL_S = 1.0
#: Seconds that a task without a value, and a scraper that cannot start, are left alone.
HOLD_S = 300.0
UNABLE_S = 60.0
#: Seconds until a task is taken again whose older run is being stopped here.
AGAIN_S = 10.0
#: Seconds after which a stop waits for nothing any more: leases come back by themselves.
STOP_S = 9.0


@dataclass(frozen=True, slots=True)
class ShiftOptions:
    """How to work: ``once`` ends when the queues are empty, ``max_tasks`` after so many tasks."""

    visibility_s: float
    jobs: int = 4
    weighted: bool = False
    once: bool = False
    max_tasks: int | None = None


@dataclass(slots=True)
class _Running:
    run: Run
    process: Process
    started_s: float


_Event: TypeAlias = Callable[[], None]


class Shift:
    """One worker's time at the queues, from its first lease to its last word.

    Everything is decided in the thread that calls ``work``; other threads, and signals, only leave events.
    ``say`` is told in sentences, ``show`` gets the counts whenever they change.
    """

    def __init__(
        self,
        leases: Leases,
        processes: Processes,
        scrapers: Mapping[str, Scraper],
        options: ShiftOptions,
        *,
        clock: Callable[[], datetime],
        say: Callable[[str], None],
        show: Callable[[Tally], None],
    ) -> None:
        self._leases = leases
        self._processes = processes
        self._scrapers = scrapers
        self._options = options
        self._clock = clock
        self._say = say
        self._show = show
        self._tally = Tally()
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._line = QueueLine(options.visibility_s, say)
        self._keeper = LeaseKeeper(leases, options.visibility_s, self._lease_gone)
        self._book = WorkBook(leases, self._keeper, self._line, self._tally, say)
        self._roster = Roster(scrapers.values(), options.jobs)
        self._numbers = count(1)
        self._running: dict[int, _Running] = {}
        self._pending: dict[str, deque[Run]] = {name: deque() for name in scrapers}
        self._unable: dict[str, float] = {}
        self._taken = 0
        self._is_dry = False
        self._stop_wanted = False
        self._stop_by_s: float | None = None

    def stop(self) -> None:
        """Take on nothing more, stop what runs, give back what is unfinished. Safe in a signal handler."""
        self._stop_wanted = True
        self._events.put(lambda: None)

    def work(self) -> Tally:
        """Work until stopped, or until there is nothing left that the options ask for."""
        with self._keeper:
            while True:
                self._take_on()
                if self._is_over():
                    break
                self._show(self._tally)
                self._await()
            self._book.release(self._book.left())
        self._show(self._tally)
        return self._tally

    def _is_over(self) -> bool:
        if self._stop_by_s is not None and time.monotonic() > self._stop_by_s:
            self._say("something did not stop in time; its tasks come back when their leases end")
            return True
        is_idle = not self._running and not any(self._pending.values()) and self._book.is_closed
        is_enough = self._stop_wanted or self._left() == 0 or (self._options.once and self._is_dry)
        return is_idle and is_enough

    # -- taking on ------------------------------------------------------------------------------------

    def _take_on(self) -> None:
        """Start whatever may start now."""
        self._book.tell_again()
        if self._stop_wanted:
            self._wind_up()
            return
        now_s = time.monotonic()
        self._unable = {name: until for name, until in self._unable.items() if until > now_s}
        self._start_pending(now_s)
        blocked = {*self._unable, *(name for name, waiting in self._pending.items() if waiting)}
        while self._roster.free and self._left():
            slots = self._roster.slots(time.monotonic())
            names = [name for name in slots if name not in blocked]
            room = min(self._roster.free, self._left(), sum(slots[name] for name in names))
            leases = self._leased(room, names) if names else []
            self._is_dry = leases == [] and {*names, *self._unable} == set(self._scrapers)
            groups = self._by_scraper(leases or (), names)
            if not groups:
                return
            for name, group in groups.items():
                if not self._staffed(name, group):
                    blocked.add(name)

    def _left(self) -> int:
        most = self._options.max_tasks
        return FOLD_MAX if most is None else max(0, most - self._taken)

    def _leased(self, most: int, names: Sequence[str]) -> list[Lease] | None:
        """Return new leases; None where the queues do not answer."""
        lease = partial(
            self._leases.lease,
            most,
            visibility_s=self._options.visibility_s,
            scrapers=names,
            weighted=self._options.weighted,
        )
        found = self._line.tried(lease)
        self._keeper.add(found or ())
        return found

    def _by_scraper(
        self, leases: Sequence[Lease], names: Sequence[str]
    ) -> dict[str, list[tuple[Lease, TaskBody]]]:
        """Return the tasks that can be read by scraper; the others are poison, or none of ours."""
        found: dict[str, list[tuple[Lease, TaskBody]]] = {}
        for lease in leases:
            body = read_body(lease)
            scraper = "" if body is None else str(body.document.get("scraper", ""))
            older = self._book.held(lease.id)
            if older is not None:  # it ended unnoticed: what it runs has to end before it is run again
                self._on_gone(older, "lost")
                self._book.release([lease], delay_s=AGAIN_S)
            elif body is None:
                self._book.poison(lease, "?")
            elif scraper in names:
                found.setdefault(scraper, []).append((lease, body))
            else:
                self._book.release([lease])
        return found

    def _staffed(self, name: str, tasks: list[tuple[Lease, TaskBody]]) -> bool:
        """Start the runs of some tasks; return whether there was room for all of them."""
        scraper = self._scrapers[name]
        if scraper.per in {Per.PARTITION, Per.SOURCE}:
            more = min(FOLD_MAX, self._left()) - len(tasks)
            siblings = self._leased(more, [name]) if more > 0 else None
            tasks = [*tasks, *self._by_scraper(siblings or (), [name]).get(name, [])]
        by_id = {lease.id: (lease, body) for lease, body in tasks}
        found = runs(scraper, [body for _, body in tasks], self._clock())
        for held in found.held:
            self._hold(name, by_id[held.task.id][0], held.why)
        left: list[Lease] = []
        for group in _together(found.runs):
            ids = group[0].task_ids
            if not self._has_room(group[0]):
                left += [by_id[one][0] for one in ids]
                continue
            self._taken += len(ids)
            for one in ids:
                self._book.assign(*by_id[one], name, len(group))
            self._pending[name].extend(group[1:])
            self._start(group[0])
        self._book.release(left)
        self._start_pending(time.monotonic())
        return not left and not self._pending[name]

    def _has_room(self, run: Run) -> bool:
        name = run.scraper.name
        if name in self._unable or len(run.task_ids) > self._left():
            return False
        return self._roster.admits(name, run.size, time.monotonic())

    def _start_pending(self, now_s: float) -> None:
        for name, waiting in self._pending.items():
            while waiting and name not in self._unable and self._roster.admits(name, waiting[0].size, now_s):
                self._start(waiting.popleft())

    def _start(self, run: Run) -> None:
        scraper = run.scraper
        number = next(self._numbers)
        files = {name: f"{self._processes.folder}/{number}.{name}" for name in ("keys_file", "result_file")}
        used = {hole.name for hole in holes(scraper.command)}
        command = Command(
            argv=tuple(run.words(self._clock(), files)),
            cwd=scraper.cwd,
            env=scraper.env,
            timeout_s=scraper.timeout_s,
            keys_file=files["keys_file"] if "keys_file" in used else "",
            keys=run.lines(self._clock()),
            result_file=files["result_file"] if "result_file" in used else "",
        )
        try:
            process = self._processes.start(command, partial(self._run_ended, number))
        except CannotStartError as error:
            self._unable[scraper.name] = time.monotonic() + UNABLE_S
            if self._options.once:
                self._unable[scraper.name] = float("inf")
            self._tally.unable[scraper.name] = str(error)
            self._say(f"{scraper.name}: {error}")
            self._book.dropped(run)
            self._drop_pending(scraper.name)
            return
        except ArgumentsTooLongError as error:
            self._say(f"{scraper.name}: {error}")
            self._book.ended(run, Ended(126, scraper.timeout_s, tail=str(error)))
            return
        self._running[number] = _Running(run, process, time.monotonic())
        self._roster.started(scraper.name, run.size, time.monotonic())
        counts = self._tally.of(scraper.name)
        counts.runs += 1
        counts.running += 1

    def _hold(self, name: str, lease: Lease, why: str) -> None:
        if self._tally.hold(name, lease.id, why):
            self._say(f"{name}: task {lease.id} is held: {why}")
        self._book.release([lease], delay_s=HOLD_S)

    # -- what happens meanwhile -----------------------------------------------------------------------

    def _run_ended(self, number: int, ended: Ended) -> None:
        self._events.put(partial(self._on_ended, number, ended))

    def _lease_gone(self, lease: Lease, how: str) -> None:
        self._events.put(partial(self._on_gone, lease, how))

    def _on_ended(self, number: int, ended: Ended) -> None:
        running = self._running.pop(number)
        run, name = running.run, running.run.scraper.name
        self._roster.ended(name, run.size)
        self._tally.of(name).running -= 1
        self._say(_told(run, ended, time.monotonic() - running.started_s))
        self._book.ended(run, ended)

    def _on_gone(self, lease: Lease, how: str) -> None:
        if not self._book.gone(lease, how):
            return
        self._say(f"task {lease.id} is {how}")
        for waiting in self._pending.values():
            for run in [run for run in waiting if self._book.is_void(run)]:
                waiting.remove(run)
                self._book.dropped(run)
        for running in self._running.values():
            if self._book.is_void(running.run):
                running.process.stop()

    def _wind_up(self) -> None:
        if self._stop_by_s is not None:
            return
        self._stop_by_s = time.monotonic() + STOP_S
        for name in self._pending:
            self._drop_pending(name)
        for running in self._running.values():
            running.process.stop()

    def _drop_pending(self, name: str) -> None:
        waiting = self._pending[name]
        while waiting:
            self._book.dropped(waiting.popleft())

    def _await(self) -> None:
        """Wait for what happens next, and deal with all that has happened."""
        now_s = time.monotonic()
        wait_s = max(0.0, min(self._wakes(now_s), default=60.0) - now_s)
        try:
            event = self._events.get(timeout=wait_s)
            while True:
                event()
                event = self._events.get_nowait()
        except Empty:
            return

    def _wakes(self, now_s: float) -> Iterator[float]:
        if self._stop_by_s is not None:
            yield self._stop_by_s + 0.01
        if self._line.is_down:
            yield self._line.again_at_s
        elif not self._stop_wanted and self._roster.free and self._left():
            yield now_s + POLL_S
        rate_at_s = self._roster.next_at_s(now_s)
        if rate_at_s is not None:
            yield rate_at_s


def _together(found: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield runs in groups that share tasks: those of one task's items."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in found:
        groups.setdefault(run.task_ids, []).append(run)
    yield from groups.values()


def _told(run: Run, ended: Ended, seconds: float) -> str:
    tasks, keys = len(run.task_ids), len(run.keys)
    what = f"{tasks} task{'s' if tasks > 1 else ''}, {keys} key{'' if keys == 1 else 's'}"
    how = "ended well" if ended.status == 0 and not ended.timed_out else printable(ended.brief)
    return f"{run.scraper.name}: {what}: {'stopped' if ended.stopped else how} ({seconds:.1f} s)"
