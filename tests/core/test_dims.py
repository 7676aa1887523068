"""Which DIMS metrics a cycle has, and when they are updated."""

from __future__ import annotations

import pytest

from recon.core.dims import command_line, command_problem, dims_values, is_due

REPORT = {
    "finished_at": "2024-03-01T12:00:00.000Z",
    "dry_run": False,
    "gaps": {"total": 2, "by_priority": {"critical": 1}},
    "tasks": {"outstanding": 5},
}
NO_GAPS = {**REPORT, "gaps": {"total": 0, "by_priority": {"critical": 0}}}


def test_the_values_are_those_of_the_report():
    assert dims_values(REPORT) == {
        "reconciliation_last_run": "2024-03-01T12:00:00.000Z",
        "reconciliation_total_gaps": 2,
        "reconciliation_critical_gaps": 1,
        "reconciliation_task_queue_size": 5,
    }


@pytest.mark.parametrize(
    ("report", "triggers", "due"),
    [
        (REPORT, {"reconciliation_complete"}, True),
        (NO_GAPS, {"reconciliation_complete"}, True),
        (REPORT, {"gaps_detected"}, True),
        (NO_GAPS, {"gaps_detected"}, False),
        (REPORT, set(), False),
        ({**REPORT, "dry_run": True}, {"reconciliation_complete", "gaps_detected"}, False),
    ],
)
def test_metrics_are_due_when_a_trigger_fires_and_never_by_a_dry_run(report, triggers, due):
    assert is_due(report, triggers) is due


def test_a_command_gets_metric_and_value_inside_its_own_arguments():
    command = ["dims", "set", "{metric}={value}; rm -rf /", "{{value}}"]
    assert command_line(command, "m", 3) == ["dims", "set", "m=3; rm -rf /", "{3}"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["dims", "{metric}", "{value}"], None),
        (["dims", "{metrik}", "{value}"], "unknown placeholder {metrik}"),
        (["dims", "{metric}"], "among them {metric} and {value}"),
        ([], "expected a program"),
    ],
)
def test_a_command_must_be_usable(command, problem):
    found = command_problem(command)
    assert (found is None) if problem is None else (problem in found)
