"""Errors and reports of single cycles, and days of history, go once nobody needs them, and not before."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from recon.core.retention import DAYS_MAX, ended_days, outlived

LAST = "20240301T120000-aaaaaa"
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cycle_id", "file", "goes"),
    [
        ("20240301T105959-bbbbbb", "error.json", True),
        ("20240229T120000-bbbbbb-r2", "error.json", True),
        ("20240301T110001-bbbbbb", "error.json", False),  # a message of it may still be under way
        ("20240301T120001-bbbbbb", "error.json", False),  # asked for later: somebody waits for its answer
        (LAST, "error.json", False),
        ("20240228T115959-bbbbbb", "report.json", True),
        ("20240228T120001-bbbbbb", "report.json", False),
        ("20240101T105959-bbbbbb", "shards/error.json", False),
        ("20240101T105959-bbbbbb", "plan.json", False),
        ("one", "error.json", False),
    ],
)
def test_errors_go_after_an_hour_and_reports_after_two_days(cycle_id, file, goes):
    name = f"cycles/{cycle_id}/{file}"
    assert list(outlived([name], LAST)) == ([(cycle_id, name)] if goes else [])


def test_a_cycle_without_an_instant_in_its_id_judges_nothing():
    assert list(outlived(["cycles/20000101T000000-a/error.json"], "one")) == []


@pytest.mark.parametrize(
    ("pruned_before", "history_days", "days"),
    [
        (date(2024, 2, 28), 2, []),
        (date(2024, 2, 26), 2, [date(2024, 2, 26), date(2024, 2, 27)]),  # 2024-02-28 is the first that stays
        (date(2024, 2, 28), 90, []),  # history_days was raised
    ],
)
def test_days_end_with_history_days(pruned_before, history_days, days):
    assert ended_days(pruned_before, NOW, history_days) == days


def test_a_long_pause_is_made_up_for_in_steps():
    assert len(ended_days(date(2020, 1, 1), NOW, 90)) == DAYS_MAX
