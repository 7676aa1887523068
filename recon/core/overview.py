"""What the web page shows of a standing, as one JSON object; texts from outside stand on one line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from recon.core.conditions import Condition, Severity, conditions
from recon.core.durations import duration_words
from recon.core.gap_ages import AGES
from recon.core.measures import NAMED_MAX, Observed, coverage_of, type_sums
from recon.core.printable import printable
from recon.core.readiness import readiness
from recon.model import Priority, TaskState, Verdict

#: Runs that are shown.
RUNS_SHOWN = 40
_LEVELS = tuple(level.label for level in Priority)
_OUT = (TaskState.LEASED, TaskState.MOOT)


def overview(seen: Observed) -> dict[str, Any]:
    """Return the state in one line, what is wrong, the queues, coverage, gaps and the last runs."""
    standing = seen.standing
    found = conditions(standing, seen.limits)
    checks = readiness(standing, seen.limits)
    return {
        "schema": "recon.page/1",
        "at": _iso(standing.at),
        "lake": printable(standing.lake),
        "ready": all(check.ok for check in checks),
        "state": state_line(seen, found),
        "checks": [{"name": check.name, "ok": check.ok, "found": printable(check.found)} for check in checks],
        "conditions": [_condition(one) for one in found],
        "unknown": {name: printable(why) for name, why in standing.unknown.items()},
        "cycle": _cycle(seen),
        "running": _running(seen),
        "paused": _pause(seen),
        "levels": _levels(seen),
        "scrapers": _scrapers(seen),
        "time_to_fill": None if standing.fill is None else asdict(standing.fill),
        "coverage": _coverage(seen),
        "gaps": _gaps(seen),
        "runs": [
            {
                "cycle_id": printable(run.cycle_id),
                "finished_at": _iso(run.finished_at),
                "duration_s": run.duration_s,
                "outcome": printable(run.outcome),
                "dry_run": run.dry_run,
                "message": printable(run.message),
                "gaps": run.gaps,
            }
            for run in standing.runs[-RUNS_SHOWN:]
        ],
    }


def state_line(seen: Observed, found: list[Condition]) -> str:
    """Return the state in one line of words."""
    standing = seen.standing
    critical = sum(one.severity is Severity.CRITICAL for one in found)
    if not found:
        head = "The engine is well"
    elif critical:
        head = f"{_things(critical)} wrong" + (
            f", and {len(found) - critical} to look at" if len(found) > critical else ""
        )
    else:
        head = f"It works; {_things(len(found)).lower()} to look at"
    if standing.pause is not None:
        head += "; it is paused"
    if standing.running is not None:
        head += "; a cycle is running"
    age_s = standing.finished_age_s
    last = (
        "no cycle has finished yet" if age_s is None else f"the last cycle ended {duration_words(age_s)} ago"
    )
    return f"{head}; {last}."


def _things(count: int) -> str:
    return "One thing is" if count == 1 else f"{count} things are"


def _condition(one: Condition) -> dict[str, Any]:
    return {
        "name": one.name.value,
        "severity": one.severity.value,
        "words": printable(one.words),
        "next": one.next,
        "since": None if one.since is None else _iso(one.since),
        "subjects": [printable(subject) for subject in one.subjects[:NAMED_MAX]],
    }


def _cycle(seen: Observed) -> dict[str, Any] | None:
    report = seen.report
    if not report:
        return None
    observed = report["observed"]
    return {
        "cycle_id": printable(report["cycle_id"]),
        "finished_at": report["finished_at"],
        "age_s": seen.standing.finished_age_s,
        "duration_s": report["duration_s"],
        "dry_run": report["dry_run"],
        "source": observed["source"],
        "as_of": observed["as_of"],
        "observed_age_s": seen.standing.observed_age_s,
        "objects": observed["objects"],
        "bytes": observed["bytes"],
        "requests": observed["requests"],
        "cost_usd": observed["estimated_cost_usd"],
        "shards": observed["shards"],
        "tasks": report["tasks"],
        "verdicts": report["verdicts"],
        "warnings": [printable(line) for line in report["warnings"][:20]],
    }


def _running(seen: Observed) -> dict[str, Any] | None:
    running = seen.standing.running
    if running is None:
        return None
    since = running.since
    return {"cycle_id": printable(running.cycle_id), "since": None if since is None else _iso(since)}


def _pause(seen: Observed) -> dict[str, Any] | None:
    pause = seen.standing.pause
    if pause is None:
        return None
    until = None if pause.until is None else _iso(pause.until)
    return {"since": _iso(pause.since), "until": until, "reason": printable(pause.reason)}


def _levels(seen: Observed) -> list[dict[str, Any]]:
    counts: Counter[tuple[Priority, TaskState]] = Counter()
    for group in seen.standing.tasks:
        counts[group.priority, group.state] += group.tasks
    return [
        {
            "priority": level.label,
            "depth": seen.standing.depths.get(level),
            **{state.value: counts[level, state] for state in TaskState},
        }
        for level in Priority
    ]


def _scrapers(seen: Observed) -> list[dict[str, Any]]:
    standing = seen.standing
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for group in standing.tasks:
        kind = "out" if group.state in _OUT else group.state.value
        counts[group.scraper][group.priority.label if kind == "ready" else kind] += group.tasks
    for letter in standing.dead:
        counts[letter.scraper]["dead"] += 1
    names = sorted({*counts, *standing.scrapers})[:NAMED_MAX]
    columns = (*_LEVELS, "out", "cooling", "claimed", "dead")
    return [
        {
            "name": printable(name) or "(none)",
            **{column: counts[name][column] for column in columns},
            **_record(seen, name),
        }
        for name in names
    ]


def _record(seen: Observed, name: str) -> dict[str, Any]:
    record = seen.standing.scrapers.get(name)
    if record is None:
        return {"filled": 0, "false_claims": 0, "failed": 0, "paused": None}
    return {
        "filled": record.filled,
        "false_claims": record.false_claims,
        "failed": record.failed,
        "paused": None if record.paused_at is None else printable(record.reason) or "paused",
    }


def _coverage(seen: Observed) -> list[dict[str, Any]]:
    return [
        {
            "source": printable(source),
            "data_type": printable(data_type),
            **{name: numbers[name] for name in ("expected", "have", *(verdict.value for verdict in Verdict))},
            "coverage": coverage_of(numbers),
        }
        for (source, data_type), numbers in type_sums(seen).items()
    ]


def _gaps(seen: Observed) -> dict[str, Any]:
    gaps: Mapping[str, Any] = seen.report.get("gaps", {})
    by_age = gaps.get("by_age", {})
    return {
        "total": gaps.get("total", 0),
        "keys": gaps.get("keys", 0),
        "by_priority": {level: gaps.get("by_priority", {}).get(level, 0) for level in _LEVELS},
        "by_age": {level: {age: by_age.get(level, {}).get(age, 0) for age in AGES} for level in _LEVELS},
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
