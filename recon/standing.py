"""Gathers how the engine stands, from state, ledger and queues; a source that fails is a fact too.

State names read here: ``latest.json``, ``cycles/<id>/report.json``, ``history/runs.json`` and
``aws_reports/refused.json``; the books of claims and the brake's record have readers of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from recon.brake_record import waiting
from recon.claim_books import load_claims
from recon.core.claims import ClaimRules, Claims
from recon.core.engine_standing import (
    BRAKE,
    BROKER,
    CLAIMS,
    LEDGER,
    PAUSE,
    QUEUES,
    REPORT,
    REPORTS,
    RUNS,
    DeadLetter,
    EndedRun,
    EnginePause,
    FailedCycle,
    RunningCycle,
    ServerStanding,
    Standing,
    TaskGroup,
)
from recon.errors import ReconError
from recon.maintenance import paused
from recon.masking import masked
from recon.model import OutstandingTask, TaskState

if TYPE_CHECKING:  # ports describe Arrow batches; who only watches does without Arrow
    from recon.ports import Ledger, StateStore, TaskQueue

#: Quarantined keys that are named.
_NAMED_MAX = 20
#: Runs that are told of, the latest.
_RUNS_MAX = 1000
_STAMP = "%Y%m%dT%H%M%S"
_T = TypeVar("_T")


class Fitness(Protocol):
    """What is wrong with a server."""

    @property
    def refused(self) -> tuple[str, ...]:
        """Return what makes it unfit."""
        ...

    @property
    def warned(self) -> tuple[str, ...]:
        """Return what risks tasks."""
        ...


@dataclass(slots=True, kw_only=True)
class Sources:
    """Where the facts come from; keep one for many looks: a cycle's report is read once.

    ``servers`` maps a server's name to what checks it, raising ``BrokerError`` where it is silent;
    ``queue_server`` names the one that holds the queues, "" where no Redis does.
    """

    state: StateStore
    ledger: Ledger
    queue: TaskQueue
    servers: Mapping[str, Callable[[], Fitness]]
    queue_server: str
    lake: str
    interval_s: float | None
    claim_rules: ClaimRules
    _report: tuple[str, Mapping[str, Any]] | None = field(default=None, init=False)

    def report(self) -> Mapping[str, Any] | None:
        """Return the last finished cycle's report, None before any has finished."""
        content = self.state.get("latest.json")
        if content is None:
            return None
        cycle_id = str(json.loads(content)["cycle_id"])
        if self._report is None or self._report[0] != cycle_id:
            self._report = cycle_id, json.loads(self.state.get(f"cycles/{cycle_id}/report.json") or b"null")
        return self._report[1]


def standing(sources: Sources, now: datetime) -> Standing:
    """Return how the engine stands at ``now``; never raises: what fails is told in ``Standing.unknown``."""
    look = _Look()
    servers = {name: look.server(check) for name, check in sources.servers.items()}
    runs: tuple[EndedRun, ...] = look.ask(RUNS, lambda: _runs(sources.state), ())
    claims = look.ask(CLAIMS, lambda: load_claims(sources.state), Claims())
    broker, queues = (
        servers.get("broker", ServerStanding()),
        servers.get(sources.queue_server, ServerStanding()),
    )
    ledger, queue = sources.ledger, sources.queue
    quarantined = sorted(claims.quarantined(sources.claim_rules))
    return Standing(
        at=now,
        lake=sources.lake,
        interval_s=sources.interval_s,
        report=look.ask(REPORT, sources.report, None),
        failed=_last_failed(runs),
        running=look.ask(LEDGER, lambda: _running(ledger.current()), None, broker),
        skipped_overlap=look.ask(LEDGER, lambda: ledger.stats()["skipped_overlap"], 0, broker),
        consumed=look.ask(LEDGER, ledger.consumed, {}, broker),
        servers=servers,
        holds=look.ask(BRAKE, lambda: waiting(sources.state), ()),
        scrapers=dict(claims.scrapers),
        quarantined=len(quarantined),
        quarantined_sample=tuple(quarantined[:_NAMED_MAX]),
        fill=claims.time_to_fill(),
        fill_seconds=tuple(claims.fill_seconds),
        tasks=look.ask(QUEUES, lambda: _groups(queue.outstanding(sources.lake)), (), queues),
        dead=look.ask(QUEUES, lambda: _dead(queue), (), queues),
        depths=look.ask(QUEUES, queue.depths, {}, queues),
        queue_counts=look.ask(QUEUES, queue.stats, {}, queues),
        refused_reports=look.ask(REPORTS, lambda: _refused_reports(sources.state), 0),
        runs=runs,
        pause=look.ask(PAUSE, lambda: _pause(sources.state, now), None),
        unknown=look.unknown,
    )


@dataclass(slots=True)
class _Look:
    """One look at every source; what failed, and why."""

    unknown: dict[str, str] = field(default_factory=dict)

    def ask(self, source: str, read: Callable[[], _T], empty: _T, server: ServerStanding | None = None) -> _T:
        """Return what a source says, or ``empty``; one that failed, or whose server did, is not asked."""
        if server is not None and server.unreachable is not None:
            self.unknown[source] = server.unreachable
        if source in self.unknown:
            return empty
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fact about this source
            self.unknown[source] = _words(error)
            return empty

    def server(self, check: Callable[[], Fitness]) -> ServerStanding:
        try:
            found = check()
        except Exception as error:  # noqa: BLE001 - as above
            why = _words(error).partition(" Next: ")[0].rstrip(".")
            self.unknown[BROKER] = why
            return ServerStanding(why)
        return ServerStanding(None, found.refused, found.warned)


def _words(error: Exception) -> str:
    said = str(error) if isinstance(error, ReconError) else f"{type(error).__name__}: {error}"
    return masked(said)


def _last_failed(runs: tuple[EndedRun, ...]) -> FailedCycle | None:
    failed = max((run for run in runs if run.outcome == "failed"), key=lambda run: run.cycle_id, default=None)
    if failed is None:
        return None
    return FailedCycle(failed.cycle_id, _asked_at(failed.cycle_id), failed.kind, failed.message)


def _running(cycle_id: str | None) -> RunningCycle | None:
    return None if cycle_id is None else RunningCycle(cycle_id, _asked_at(cycle_id))


def _asked_at(cycle_id: str) -> datetime | None:
    """Return the instant that a cycle's id begins with; None for another kind of id."""
    try:
        return datetime.strptime(cycle_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _groups(tasks: list[OutstandingTask]) -> tuple[TaskGroup, ...]:
    counts = Counter((_scraper(task.body), task.priority, _state(task)) for task in tasks)
    return tuple(TaskGroup(*key, tasks=count) for key, count in sorted(counts.items()))


def _state(task: OutstandingTask) -> TaskState:
    return TaskState.LEASED if task.state is TaskState.READY and not task.in_list else task.state


def _dead(queue: TaskQueue) -> tuple[DeadLetter, ...]:
    return tuple(
        DeadLetter(task.id, _scraper(task.body), task.priority, task.reason, task.at) for task in queue.dead()
    )


def _scraper(body: bytes) -> str:
    """Return the scraper that a task's body names; '' where it cannot be read."""
    try:
        return str(json.loads(body).get("scraper", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


def _runs(state: StateStore) -> tuple[EndedRun, ...]:
    document = json.loads(state.get("history/runs.json") or b"{}")
    return tuple(_run(row) for row in document.get("runs", ())[-_RUNS_MAX:])


def _run(row: Mapping[str, Any]) -> EndedRun:
    return EndedRun(
        row["cycle_id"],
        datetime.fromisoformat(row["finished_at"]),
        float(row["duration_s"]),
        row["outcome"],
        bool(row.get("dry_run")),
        row.get("kind", ""),
        row.get("message", ""),
        row.get("totals", {}).get("gaps"),
    )


def _pause(state: StateStore, now: datetime) -> EnginePause | None:
    found = paused(state, now)
    return None if found is None else EnginePause(found.since, found.until, found.reason)


def _refused_reports(state: StateStore) -> int:
    return len(json.loads(state.get("aws_reports/refused.json") or b"{}"))
