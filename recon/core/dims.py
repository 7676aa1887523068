"""The DIMS metrics of a cycle, and when they are due."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

COMPLETE, GAPS_DETECTED = "reconciliation_complete", "gaps_detected"
METRICS = (
    "reconciliation_last_run",
    "reconciliation_total_gaps",
    "reconciliation_critical_gaps",
    "reconciliation_task_queue_size",
)
_HOLE = re.compile(r"\{(\w*)\}")
_HOLES = ("metric", "value")


def command_problem(command: Sequence[str]) -> str | None:
    """Return what is wrong with a command's template; None where it can be called."""
    holes = {name for argument in command for name in _HOLE.findall(argument)}
    unknown = sorted(holes.difference(_HOLES))
    if unknown:
        return f"unknown placeholder {{{unknown[0]}}}; a DIMS command takes {{metric}} and {{value}}"
    if not command or not command[0] or not holes.issuperset(_HOLES):
        return "expected a program and its arguments, among them {metric} and {value}"
    return None


def command_line(command: Sequence[str], metric: str, value: str | int) -> list[str]:
    """Return the arguments that give one metric its value."""
    given = {"metric": metric, "value": str(value)}
    return [_HOLE.sub(lambda hole: given[hole[1]], argument) for argument in command]


def dims_values(report: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the value of each metric, from a cycle's report."""
    values: tuple[str | int, ...] = (
        str(report["finished_at"]),
        int(report["gaps"]["total"]),
        int(report["gaps"]["by_priority"]["critical"]),
        int(report["tasks"]["outstanding"]),
    )
    return dict(zip(METRICS, values, strict=True))


def is_due(report: Mapping[str, Any], triggers: Collection[str]) -> bool:
    """Tell whether a finished cycle updates the metrics; a dry one never does."""
    if report["dry_run"]:
        return False
    return COMPLETE in triggers or (GAPS_DETECTED in triggers and bool(report["gaps"]["total"]))
