"""One run as history remembers it, and what all of them together tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from recon.core.exit_code import exit_code
from recon.core.shares import share
from recon.model import Priority

#: Runs that are remembered at most: 125 days of hourly ones, about 1 MB of JSON.
RUNS_MAX = 3000
#: Characters of a failure's message that are remembered.
_MESSAGE_MAX = 500
_STAMP = "%Y%m%dT%H%M%S"


class Outcome(StrEnum):
    """How a run ended."""

    SKIPPED_OVERLAP = "skipped_overlap"  # another cycle was running: it never began
    FAILED = "failed"
    FINISHED = "finished"


#: What is told later of one cycle counts where it is further down: a repeated final step mends a failure.
_WEIGHT = {outcome: weight for weight, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run. ``kind`` and ``message`` say why it failed; ``totals`` is empty unless it finished.

    Totals: objects, expected (exact keys), missing, gaps, gap_keys, a count for each priority's label, and
    coverage (a share, None where nothing can be said).
    """

    cycle_id: str
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
    dry_run: bool = False
    exit_code: int = 0
    kind: str = ""
    message: str = ""
    totals: Mapping[str, Any] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Return how long it took, in seconds."""
        return round((self.finished_at - self.started_at).total_seconds(), 3)

    @property
    def counts(self) -> bool:
        """Tell whether it is a real attempt: neither dry nor skipped."""
        return not self.dry_run and self.outcome is not Outcome.SKIPPED_OVERLAP

    @property
    def is_good(self) -> bool:
        """Tell whether it is real, has finished, and saw all that it planned to."""
        return self.counts and self.outcome is Outcome.FINISHED and self.exit_code == 0

    def document(self) -> dict[str, Any]:
        """Return the run as JSON keeps and shows it."""
        told = {"exit_code": self.exit_code, "kind": self.kind, "message": self.message}
        return {
            "cycle_id": self.cycle_id,
            "started_at": _iso(self.started_at),
            "finished_at": _iso(self.finished_at),
            "duration_s": self.duration_s,
            "outcome": self.outcome.value,
            "dry_run": self.dry_run,
            **{name: value for name, value in told.items() if value or name == "exit_code"},
            **({"totals": dict(self.totals)} if self.totals else {}),
        }


@dataclass(frozen=True, slots=True)
class RunTally:
    """What the remembered runs tell; dry ones are left out of all but ``kept`` and ``dry``.

    ``success_rate`` is the share of the attempts that finished, None before the first one.
    """

    kept: int
    finished: int
    failed: int
    skipped_overlap: int
    last: PastRun | None
    last_good: PastRun | None
    dry: int = 0

    @property
    def success_rate(self) -> float | None:
        """Return finished / (finished + failed)."""
        attempts = self.finished + self.failed
        return self.finished / attempts if attempts else None

    def document(self) -> dict[str, Any]:
        """Return it as ``recon status --json`` prints it."""
        return {
            "kept": self.kept,
            "finished": self.finished,
            "failed": self.failed,
            "skipped_overlap": self.skipped_overlap,
            "dry": self.dry,
            "success_rate": self.success_rate,
            "last_run": None if self.last is None else self.last.document(),
            "last_good_run": None if self.last_good is None else self.last_good.document(),
        }


def run_tally(runs: Sequence[PastRun]) -> RunTally:
    """Return what ``runs``, the oldest first, come to."""
    real = [run for run in runs if not run.dry_run]
    numbers = {outcome: sum(run.outcome is outcome for run in real) for outcome in Outcome}
    return RunTally(
        len(runs),
        numbers[Outcome.FINISHED],
        numbers[Outcome.FAILED],
        numbers[Outcome.SKIPPED_OVERLAP],
        _last(run for run in real if run.counts),
        _last(run for run in real if run.is_good),
        len(runs) - len(real),
    )


def finished_run(report: Mapping[str, Any]) -> PastRun:
    """Return the run that a cycle's report tells of."""
    gaps, verdicts = report["gaps"], report["verdicts"]
    return PastRun(
        report["cycle_id"],
        datetime.fromisoformat(report["started_at"]),
        datetime.fromisoformat(report["finished_at"]),
        Outcome.FINISHED,
        dry_run=report["dry_run"],
        exit_code=exit_code(report, None),
        totals={
            "objects": report["observed"]["objects"],
            "expected": report["expected"]["exact_keys"],
            "missing": verdicts["missing"],
            "gaps": gaps["total"],
            "gap_keys": gaps["keys"],
            **{level.label: gaps["by_priority"][level.label] for level in Priority},
            "coverage": share(report["coverage"]),
        },
    )


def failed_run(
    cycle_id: str, failure: Mapping[str, Any], ended_at: datetime, *, dry_run: bool = False
) -> PastRun:
    """Return the run that ended with ``failure`` (as ``error.json`` tells it: message, exit_code, kind)."""
    skipped = failure["kind"] == "CycleLockedError"
    return PastRun(
        cycle_id,
        min(began_at(cycle_id) or ended_at, ended_at),
        ended_at,
        Outcome.SKIPPED_OVERLAP if skipped else Outcome.FAILED,
        dry_run=dry_run,
        exit_code=int(failure["exit_code"]),
        kind=failure["kind"],
        message=failure["message"][:_MESSAGE_MAX],
    )


def with_run(runs: Sequence[PastRun], run: PastRun, oldest: datetime | None = None) -> tuple[PastRun, ...]:
    """Return ``runs`` and one more, the oldest first; those that ended before ``oldest`` are left out.

    Of one cycle the weightiest word stays, and of two alike the first: telling it twice changes nothing.
    """
    known = next((one for one in runs if one.cycle_id == run.cycle_id), None)
    if known is not None and _WEIGHT[known.outcome] >= _WEIGHT[run.outcome]:
        return tuple(runs)
    others = [
        one for one in runs if one.cycle_id != run.cycle_id and (oldest is None or one.finished_at >= oldest)
    ]
    return tuple(sorted([*others, run], key=lambda one: one.finished_at)[-RUNS_MAX:])


def read_run(row: Mapping[str, Any]) -> PastRun:
    """Return the run that ``PastRun.document`` wrote."""
    return PastRun(
        row["cycle_id"],
        datetime.fromisoformat(row["started_at"]),
        datetime.fromisoformat(row["finished_at"]),
        Outcome(row["outcome"]),
        dry_run=bool(row["dry_run"]),
        exit_code=int(row["exit_code"]),
        kind=row.get("kind", ""),
        message=row.get("message", ""),
        totals=row.get("totals", {}),
    )


def began_at(cycle_id: str) -> datetime | None:
    """Return the instant (UTC) that a cycle's id begins with; None for another kind of id."""
    try:
        return datetime.strptime(cycle_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _last(runs: Iterable[PastRun]) -> PastRun | None:
    return max(runs, key=lambda run: run.finished_at, default=None)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
