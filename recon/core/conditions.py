"""Conditions: what is wrong with the engine now, under names that alerts, metrics and runbooks share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from recon.core.durations import duration_words
from recon.core.engine_standing import Standing
from recon.core.performance import PerformanceLimits

#: Subjects that a condition names; it counts the others.
_NAMED_MAX = 5


class Severity(StrEnum):
    """How bad it is: ``critical`` keeps the engine from its work, or hides what it should show."""

    WARNING = "warning"
    CRITICAL = "critical"


class ConditionName(StrEnum):
    """The names: a contract with the alert rules and the headings of the runbook."""

    CYCLE_FAILED = "cycle failed"
    CYCLE_LATE = "cycle late"
    CRITICAL_GAPS = "critical gaps"
    BRAKE_HELD = "brake held"
    REPORT_TOO_OLD = "report too old"
    DEAD_LETTERS = "dead letters"
    QUARANTINED_KEYS = "quarantined keys"
    SCRAPER_PAUSED = "scraper paused"
    LAKE_UNREACHABLE = "lake unreachable"
    BROKER_UNREACHABLE = "broker unreachable"
    STATE_UNREACHABLE = "state unreachable"


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is wrong: a number of gaps, an age in seconds, a number of intervals."""

    critical_gaps: int = 10
    observed_age_s: float = 48 * 3600.0
    late_intervals: float = 2.0
    silent_s: float = 120.0
    performance: PerformanceLimits = field(default_factory=PerformanceLimits)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong: in plain words, what to do next, since when (None: unknown), and of what.

    ``subjects`` are the scrapers, scopes, keys, tasks or servers it is about.
    """

    name: ConditionName
    severity: Severity
    words: str
    next: str
    since: datetime | None = None
    subjects: tuple[str, ...] = ()


def conditions(standing: Standing, limits: Limits) -> list[Condition]:
    """Return what is wrong, each name once at most, the critical ones first."""
    found = [
        *_broker(standing),
        *_state(standing),
        *_failed(standing),
        *_late(standing, limits),
        *_lake(standing),
        *_old(standing, limits),
        *_held(standing),
        *_gaps(standing, limits),
        *_scrapers(standing),
        *_dead(standing),
        *_quarantined(standing),
    ]
    return sorted(found, key=lambda one: one.severity is not Severity.CRITICAL)


def late_after_s(standing: Standing, limits: Limits) -> float | None:
    """Return the age of the last finished cycle from which on the next one is late; None: none is due."""
    if standing.interval_s is None or standing.report is None or standing.pause is not None:
        return None
    return limits.late_intervals * standing.interval_s + float(standing.report["duration_s"])


def silence_s(standing: Standing) -> float | None:
    """Return how long no control worker has taken up a task; None where none ever did."""
    last = standing.consumed.get("control")
    return None if last is None else (standing.at - last).total_seconds()


def listed(names: tuple[str, ...]) -> str:
    """Return a few names, and how many more there are."""
    shown = ", ".join(names[:_NAMED_MAX])
    return f"{shown} and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else shown


def _broker(standing: Standing) -> Iterator[Condition]:
    wrong = standing.unreachable
    if wrong:
        yield Condition(
            ConditionName.BROKER_UNREACHABLE,
            Severity.CRITICAL,
            "; ".join(f"{name}: {why}" for name, why in wrong.items()),
            "start the Redis server, or correct its address; recon doctor tries it",
            subjects=tuple(wrong),
        )


def _state(standing: Standing) -> Iterator[Condition]:
    why = standing.state_unreadable
    if why is not None:
        yield Condition(
            ConditionName.STATE_UNREACHABLE,
            Severity.CRITICAL,
            f"the state cannot be read: {why}",
            "see that `state` can be reached and read; recon doctor tries it",
        )


def _failed(standing: Standing) -> Iterator[Condition]:
    failed = standing.failed_since
    if failed is not None:
        yield Condition(
            ConditionName.CYCLE_FAILED,
            Severity.CRITICAL,
            f"cycle {failed.cycle_id} failed: {failed.message}",
            "mend what it names; the next scheduled cycle tries again, recon run at once",
            failed.at,
            (failed.cycle_id,),
        )


def _late(standing: Standing, limits: Limits) -> Iterator[Condition]:
    after_s, age_s, finished_at = (
        late_after_s(standing, limits),
        standing.finished_age_s,
        standing.finished_at,
    )
    step = "see that beat and a worker of recon.control run; recon doctor asks them"
    if after_s is not None and age_s is not None and finished_at is not None and age_s > after_s:
        interval = duration_words(standing.interval_s or 0)
        yield Condition(
            ConditionName.CYCLE_LATE,
            Severity.CRITICAL,
            f"the last finished cycle is {duration_words(age_s)} old; one is due every {interval}"
            f"{_silence(standing, limits)}",
            step,
            finished_at + timedelta(seconds=after_s),
        )
    elif _never_began(standing):
        yield Condition(
            ConditionName.CYCLE_LATE,
            Severity.WARNING,
            f"no cycle has finished yet{_silence(standing, limits)}",
            step,
        )


def _never_began(standing: Standing) -> bool:
    is_due = standing.interval_s is not None and standing.pause is None
    known = standing.state_unreadable is None and is_due
    return known and standing.report is None and standing.failed is None and standing.running is None


def _silence(standing: Standing, limits: Limits) -> str:
    if standing.unreachable:
        return ""
    silent_s = silence_s(standing)
    if silent_s is None:
        return "; no worker has ever taken up a task"
    if silent_s > limits.silent_s:
        return f"; no worker of recon.control has taken up a task for {duration_words(silent_s)}"
    return ""


def _lake(standing: Standing) -> Iterator[Condition]:
    failed = standing.failed_since
    if failed is not None and failed.kind in _LAKE_ERRORS:
        yield Condition(
            ConditionName.LAKE_UNREACHABLE,
            Severity.CRITICAL,
            f"cycle {failed.cycle_id} could not look at {standing.lake}: {failed.message}",
            _LAKE_STEP,
            failed.at,
            (standing.lake,),
        )
        return
    count, planned = standing.failed_shards
    if count:
        whole = count == planned
        part = "could not be looked at" if whole else "could not be looked at in part"
        yield Condition(
            ConditionName.LAKE_UNREACHABLE,
            Severity.CRITICAL if whole else Severity.WARNING,
            f"{standing.lake} {part}: {count:,} of {planned:,} shards failed; their keys are unknown",
            _LAKE_STEP,
            standing.finished_at,
            (standing.lake,),
        )


_LAKE_ERRORS = frozenset(
    {
        "LakeError",
        "LakeUnreachableError",
        "AccessDeniedError",
        "ListingInvalidError",
        "ListingOrderError",
        "TooManyRequestsError",
    }
)
_LAKE_STEP = "the warnings of recon run name the prefix and the reason; recon doctor tries the lake"


def _old(standing: Standing, limits: Limits) -> Iterator[Condition]:
    age_s, as_of = standing.observed_age_s, standing.as_of
    if age_s is not None and as_of is not None and age_s > limits.observed_age_s:
        yield Condition(
            ConditionName.REPORT_TOO_OLD,
            Severity.WARNING,
            f"what is known of the lake is {duration_words(age_s)} old; "
            f"{duration_words(limits.observed_age_s)} are allowed (s3.max_report_age)",
            "see why no newer report or listing is used: recon s3-inventory status, recon status",
            as_of + timedelta(seconds=limits.observed_age_s),
        )


def _held(standing: Standing) -> Iterator[Condition]:
    if standing.holds:
        scopes = tuple(one.scope.text for one in standing.holds)
        vanished = sum(one.vanished for one in standing.holds)
        yield Condition(
            ConditionName.BRAKE_HELD,
            Severity.CRITICAL,
            f"a sudden loss is held back: {vanished:,} keys of {listed(scopes)} have vanished",
            "look whether they are really gone; then recon brake release, or bring them back",
            min(one.hold.since for one in standing.holds),
            scopes,
        )


def _gaps(standing: Standing, limits: Limits) -> Iterator[Condition]:
    count = 0 if standing.report is None else int(standing.report["gaps"]["by_priority"]["critical"])
    if count > limits.critical_gaps:
        yield Condition(
            ConditionName.CRITICAL_GAPS,
            Severity.WARNING,
            f"{count:,} critical gaps are open; more than {limits.critical_gaps:,} are told "
            "(notifications.critical_gaps_threshold)",
            "recon gaps --priority critical lists them; see that their scrapers run",
            standing.finished_at,
        )


def _scrapers(standing: Standing) -> Iterator[Condition]:
    paused = standing.paused
    if paused:
        said = "; ".join(
            f"{name}: {one.reason or 'no reason given'}" for name, one in list(paused.items())[:_NAMED_MAX]
        )
        more = f"; and {len(paused) - _NAMED_MAX} more" if len(paused) > _NAMED_MAX else ""
        yield Condition(
            ConditionName.SCRAPER_PAUSED,
            Severity.WARNING,
            f"paused: {said}{more}",
            "mend the scraper, then recon queue resume NAME; what the engine paused it probes by itself",
            min(one.paused_at for one in paused.values() if one.paused_at is not None),
            tuple(paused),
        )


def _dead(standing: Standing) -> Iterator[Condition]:
    if standing.dead:
        last = standing.dead[0]
        yield Condition(
            ConditionName.DEAD_LETTERS,
            Severity.WARNING,
            f"{len(standing.dead):,} tasks were given up, the last one of {last.scraper or 'no scraper'}: "
            f"{last.reason}",
            "recon queue dead names them; mend the cause, then recon queue requeue",
            min(one.at for one in standing.dead),
            tuple(one.id for one in standing.dead),
        )


def _quarantined(standing: Standing) -> Iterator[Condition]:
    if standing.quarantined:
        yield Condition(
            ConditionName.QUARANTINED_KEYS,
            Severity.WARNING,
            f"{standing.quarantined:,} keys are not asked for any longer: too many claims of them were not "
            "borne out",
            "recon queue dead names them; mend the cause, then recon queue requeue, or recon absent add",
            subjects=standing.quarantined_sample,
        )
