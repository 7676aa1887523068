"""How the engine stands at one instant: plain facts, and what could not be known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from recon.core.braking import Held
from recon.core.claims import FillTime, ScraperRecord
from recon.model import Priority, TaskState

#: The sources that facts come from, as ``Standing.unknown`` names them.
REPORT, CLAIMS, BRAKE = "report", "claims", "brake"
BROKER, LEDGER, QUEUES, REPORTS, RUNS = "broker", "ledger", "queues", "aws_reports", "runs"
PAUSE = "pause"
#: Those that are read from the state.
STATE_SOURCES = (REPORT, CLAIMS, BRAKE, REPORTS, RUNS, PAUSE)


@dataclass(frozen=True, slots=True)
class FailedCycle:
    """A cycle that failed: when it was begun (None: its id does not tell), the error's class and words."""

    cycle_id: str
    at: datetime | None
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run as the history remembers it: its outcome is finished, failed or skipped_overlap.

    ``kind`` and ``message`` say why it failed; ``gaps`` is None unless it finished.
    """

    cycle_id: str
    finished_at: datetime
    duration_s: float
    outcome: str
    dry_run: bool = False
    kind: str = ""
    message: str = ""
    gaps: int | None = None


@dataclass(frozen=True, slots=True)
class EnginePause:
    """A pause of the engine: since when, until when (None: until somebody resumes it), and why."""

    since: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class RunningCycle:
    """The cycle that holds the lock, and since when (None: its id does not tell)."""

    cycle_id: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ServerStanding:
    """A Redis server: why it cannot be reached, if so; what makes it unfit; what risks tasks."""

    unreachable: str | None = None
    refused: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A task that was given up: by whom, why, and when."""

    id: str
    scraper: str
    priority: Priority
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Outstanding tasks of one scraper, level and state; what a plain consumer popped counts as leased."""

    scraper: str
    priority: Priority
    state: TaskState
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the engine stands at ``at``.

    ``unknown`` maps a source (the names above) to the reason why its facts are missing; each of them then
    has its empty value. ``report`` is the last finished cycle's (``recon.cycle/1``), None before any has.
    ``interval_s`` is None where no cycles are scheduled. ``consumed`` tells when each kind of worker last
    took up a task. ``servers`` are named by the settings' key. ``fill_seconds`` are the latest times from a
    gap's first sighting to its end. ``quarantined`` counts keys, ``quarantined_sample`` names some.
    ``runs`` are those that the history remembers, the oldest first.
    """

    at: datetime
    lake: str
    interval_s: float | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] | None = None
    failed: FailedCycle | None = None
    running: RunningCycle | None = None
    skipped_overlap: int = 0
    consumed: Mapping[str, datetime] = field(default_factory=dict)
    servers: Mapping[str, ServerStanding] = field(default_factory=dict)
    holds: tuple[Held, ...] = ()
    scrapers: Mapping[str, ScraperRecord] = field(default_factory=dict)
    quarantined: int = 0
    quarantined_sample: tuple[str, ...] = ()
    fill: FillTime | None = None
    fill_seconds: tuple[float, ...] = ()
    tasks: tuple[TaskGroup, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    depths: Mapping[Priority, int] = field(default_factory=dict)
    queue_counts: Mapping[str, int] = field(default_factory=dict)
    refused_reports: int = 0
    runs: tuple[EndedRun, ...] = ()
    pause: EnginePause | None = None

    @property
    def finished_at(self) -> datetime | None:
        """Return when the last finished cycle ended."""
        return None if self.report is None else datetime.fromisoformat(self.report["finished_at"])

    @property
    def as_of(self) -> datetime | None:
        """Return the instant that the last finished cycle's observation shows."""
        return None if self.report is None else datetime.fromisoformat(self.report["observed"]["as_of"])

    @property
    def observed_age_s(self) -> float | None:
        """Return how old the last observation is."""
        return _age_s(self.at, self.as_of)

    @property
    def finished_age_s(self) -> float | None:
        """Return how long ago the last finished cycle ended."""
        return _age_s(self.at, self.finished_at)

    @property
    def failed_since(self) -> FailedCycle | None:
        """Return the failed cycle, where none has finished that was begun later."""
        finished = None if self.report is None else datetime.fromisoformat(self.report["started_at"])
        if self.failed is None or finished is None or self.failed.at is None:
            return self.failed
        # An id tells whole seconds.
        return self.failed if self.failed.at > finished - timedelta(seconds=1) else None

    @property
    def failed_shards(self) -> tuple[int, int]:
        """Return how many shards of the last finished cycle failed, of how many."""
        shards = {} if self.report is None else self.report["observed"]["shards"]
        return shards.get("failed", 0), shards.get("planned", 0)

    @property
    def paused(self) -> Mapping[str, ScraperRecord]:
        """Return the scrapers that are paused."""
        return {name: one for name, one in sorted(self.scrapers.items()) if one.paused_at is not None}

    @property
    def unreachable(self) -> Mapping[str, str]:
        """Return the servers that cannot be reached, or must not be used, and why."""
        return {
            name: server.unreachable or "; ".join(server.refused)
            for name, server in self.servers.items()
            if server.unreachable is not None or server.refused
        }

    @property
    def state_unreadable(self) -> str | None:
        """Return why something could not be read from the state, if so."""
        return next((self.unknown[name] for name in STATE_SOURCES if name in self.unknown), None)


def _age_s(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()
