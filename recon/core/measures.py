"""What is measured of a standing: each metric's name, meaning and labels, and how its samples are read off.

Labels are bounded: levels, states and steps are fixed; sources and data types are the inventory's, scrapers
its settings'; of each, ``NAMED_MAX`` are told one by one and the others together as ``(others)``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from recon.core.conditions import ConditionName, Limits, conditions
from recon.core.engine_standing import STATE_SOURCES, Standing
from recon.core.gap_ages import AGES
from recon.core.performance import exceeded_limits
from recon.core.readiness import readiness
from recon.model import Priority, TaskState, Verdict

#: Data types, and scrapers, that have labels of their own.
NAMED_MAX = 300
OTHERS = "(others)"
#: Steps of a cycle that a report tells the time of.
STEPS = ("plan", "scan", "compare", "publish")
#: How runs end.
OUTCOMES = ("finished", "failed", "skipped_overlap")
_SOURCES = (*STATE_SOURCES, "broker", "ledger", "queues")

Sample = tuple[tuple[str, ...], float]
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """A standing with the limits it is judged by."""

    standing: Standing
    limits: Limits

    @property
    def report(self) -> Mapping[str, Any]:
        """Return the last finished cycle's report, empty before there is one."""
        return self.standing.report or {}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's name ends in ``_total``; ``samples`` are (label values, value)."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: Labels
    samples: Callable[[Observed], Iterable[Sample]]


def one(read: Callable[[Observed], float | int | bool | None]) -> Callable[[Observed], Iterable[Sample]]:
    """Return a reader of one sample without labels; of none where it is not known."""

    def samples(seen: Observed) -> Iterator[Sample]:
        value = read(seen)
        if value is not None:
            yield (), float(value)

    return samples


def of_report(*path: str) -> Callable[[Observed], Iterable[Sample]]:
    """Return a reader of one number of the last report."""

    def read(seen: Observed) -> float | None:
        value: Any = seen.report
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return None if value is None else float(value)

    return one(read)


def each_of_report(*path: str, names: Iterable[str] = ()) -> Callable[[Observed], Iterable[Sample]]:
    """Return a reader of a mapping of the last report: a sample for each name."""
    wanted = tuple(names)

    def samples(seen: Observed) -> Iterator[Sample]:
        value: Any = seen.report
        for step in path:
            value = value.get(step, {}) if isinstance(value, Mapping) else {}
        for name, number in value.items():
            if not wanted or name in wanted:
                yield (name,), float(number)

    return samples


def seconds(instant: datetime | None) -> float | None:
    """Return an instant as Unix time."""
    return None if instant is None else instant.timestamp()


def condition_states(seen: Observed) -> Iterator[Sample]:
    """Return 1 for each condition that is active, 0 for the others."""
    active = {item.name for item in conditions(seen.standing, seen.limits)}
    return (((name.value,), float(name in active)) for name in ConditionName)


def source_states(seen: Observed) -> Iterator[Sample]:
    """Return 1 for each source that could be read, 0 for the others."""
    return (((name,), float(name not in seen.standing.unknown)) for name in _SOURCES)


def queues_up(seen: Observed) -> float:
    """Return whether the scrapers' queues could be read."""
    return float("queues" not in seen.standing.unknown)


def broker_up(seen: Observed) -> float:
    """Return whether the broker answered."""
    server = seen.standing.servers.get("broker")
    return float(server is not None and server.unreachable is None)


def run_outcomes(seen: Observed) -> Iterator[Sample]:
    """Return how many remembered runs ended how; dry ones are left out."""
    counts = Counter(run.outcome for run in seen.standing.runs if not run.dry_run)
    told = () if "runs" in seen.standing.unknown else OUTCOMES
    return (((name,), float(counts[name])) for name in told)


def type_sums(seen: Observed) -> dict[tuple[str, str], Counter[str]]:
    """Return the coverage rows' numbers summed by source and data type, those beyond the first together."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in seen.report.get("coverage", ()):
        name = row["source"], row["data_type"]
        if name not in sums and len(sums) >= NAMED_MAX:
            name = OTHERS, OTHERS
        sums[name].update({key: row[key] for key in (*Verdict, "expected", "have")})
    return sums


def verdicts(seen: Observed) -> Iterator[Sample]:
    """Return the expected keys of each data type by verdict."""
    for name, numbers in type_sums(seen).items():
        for verdict in Verdict:
            yield (*name, verdict.value), float(numbers[verdict])


def coverage(seen: Observed) -> Iterator[Sample]:
    """Return the coverage of each data type of which something is due."""
    for name, numbers in type_sums(seen).items():
        share = coverage_of(numbers)
        if share is not None:
            yield name, share


def coverage_of(numbers: Mapping[str, int]) -> float | None:
    """Return ok / (ok + stale + small + missing) of keys, else have / expected; None where nothing is due."""
    due = sum(numbers.get(name, 0) for name in ("ok", "stale", "small", "missing"))
    if due:
        return numbers.get("ok", 0) / due
    expected = numbers.get("expected", 0)
    judged = any(numbers.get(name, 0) for name in ("not_due", "known_absent", "unknown"))
    return None if judged or not expected else min(1.0, numbers.get("have", 0) / expected)


def open_gaps(seen: Observed) -> Iterator[Sample]:
    """Return the open gaps by level and age."""
    by_age = seen.report.get("gaps", {}).get("by_age", {})
    return (
        ((level.label, age), float(by_age[level.label][age]))
        for level in Priority
        for age in AGES
        if level.label in by_age
    )


def shard_durations(seen: Observed) -> Iterator[Sample]:
    """Return what shards took, by quantile."""
    spent = seen.report.get("observed", {}).get("shard_durations_s", {})
    names = {"median": "0.5", "p95": "0.95", "max": "1"}
    return (((names[name],), float(value)) for name, value in spent.items())


def task_states(seen: Observed) -> Iterator[Sample]:
    """Return the outstanding tasks by level and state."""
    if "queues" in seen.standing.unknown:
        return
    counts: Counter[tuple[str, str]] = Counter()
    for group in seen.standing.tasks:
        counts[group.priority.label, group.state.value] += group.tasks
    for level in Priority:
        for state in TaskState:
            yield (level.label, state.value), float(counts[level.label, state.value])


def scraper_tasks(seen: Observed) -> Iterator[Sample]:
    """Return the outstanding tasks by scraper and state."""
    counts: Counter[tuple[str, str]] = Counter()
    known = _named(group.scraper for group in seen.standing.tasks)
    for group in seen.standing.tasks:
        counts[known(group.scraper), group.state.value] += group.tasks
    return ((key, float(count)) for key, count in sorted(counts.items()))


def _named(names: Iterable[str]) -> Callable[[str], str]:
    first = set(sorted(set(names))[:NAMED_MAX])
    return lambda name: name if name in first else OTHERS


def scraper_counts(field: str) -> Callable[[Observed], Iterable[Sample]]:
    """Return a reader of one number of each scraper's record."""

    def samples(seen: Observed) -> Iterator[Sample]:
        sums: Counter[str] = Counter()
        known = _named(seen.standing.scrapers)
        for name, record in seen.standing.scrapers.items():
            sums[known(name)] += int(getattr(record, field))
        return (((name,), float(value)) for name, value in sorted(sums.items()))

    return samples


def scraper_pauses(seen: Observed) -> Iterator[Sample]:
    """Return 1 for each scraper that is paused, 0 for the others."""
    known = _named(seen.standing.scrapers)
    sums = Counter({known(name): 0 for name in seen.standing.scrapers})
    sums.update(known(name) for name in seen.standing.paused)
    return (((name,), float(value > 0)) for name, value in sorted(sums.items()))


def depths(seen: Observed) -> Iterator[Sample]:
    """Return the length of each queue list."""
    return (((level.label,), float(depth)) for level, depth in seen.standing.depths.items())


def operations(seen: Observed) -> Iterator[Sample]:
    """Return how often each thing was done to tasks."""
    return (((name,), float(count)) for name, count in seen.standing.queue_counts.items())


def fill(seen: Observed) -> Iterator[Sample]:
    """Return the time to fill, by quantile."""
    fill = seen.standing.fill
    if fill is not None:
        yield ("0.5",), fill.median_s
        yield ("0.95",), fill.p95_s


def consumed(seen: Observed) -> Iterator[Sample]:
    """Return when each kind of worker last took up a task."""
    return (((worker,), at.timestamp()) for worker, at in seen.standing.consumed.items())


def limits_exceeded(seen: Observed) -> Iterator[Sample]:
    """Return 1 for each limit of ``performance`` that the last cycle exceeded, 0 for the others set."""
    over = exceeded_limits(seen.limits.performance, seen.report.get("timings_s", {}))
    return (((name,), float(value)) for name, value in over.items())


def is_ready(seen: Observed) -> float:
    """Return whether every check of readiness holds."""
    return float(all(check.ok for check in readiness(seen.standing, seen.limits)))


def known(source: str, read: Callable[[Observed], float]) -> Callable[[Observed], Iterable[Sample]]:
    """Return a reader of one sample that is left out where its source could not be read."""
    return one(lambda seen: None if source in seen.standing.unknown else read(seen))
