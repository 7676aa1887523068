"""Limits that were exceeded are named, and only those."""

from __future__ import annotations

from dataclasses import fields

import pytest

from recon.core.performance import PerformanceLimits, exceeded

TIMINGS = {"plan": 60.0, "scan": 300.0, "compare": 40.0, "publish": 20.0}


def test_a_cycle_within_its_limits_says_nothing():
    limits = PerformanceLimits(5, 40, 40, 20, 7)
    assert list(exceeded(limits, TIMINGS)) == []
    assert list(exceeded(PerformanceLimits(), TIMINGS)) == []


def test_each_exceeded_limit_is_named_with_its_value_and_what_was_measured():
    compared = "the comparison (coverage and gaps together) took 40 seconds"
    assert list(exceeded(PerformanceLimits(4.5, 39, 30, 19.5, 6), TIMINGS)) == [
        "performance.s3_scan_max_minutes is 4.5: the scan took 5 minutes",
        f"performance.coverage_analysis_max_seconds is 39: {compared}",
        f"performance.gap_detection_max_seconds is 30: {compared}",
        "performance.task_generation_max_seconds is 19.5: the publication took 20 seconds",
        "performance.full_cycle_max_minutes is 6: the cycle took 7 minutes",
    ]


@pytest.mark.parametrize("name", [field.name for field in fields(PerformanceLimits)])
def test_a_limit_of_zero_is_exceeded_by_any_time(name):
    (line,) = exceeded(PerformanceLimits(**{name: 0}), TIMINGS)
    assert line.startswith(f"performance.{name} is 0: ")
