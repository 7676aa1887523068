"""What ``performance`` of recon.yaml allows each step of a cycle, and which limits a cycle exceeded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: Limit's key -> the timings (``timings_s`` of a report) that it bounds, how it is said, seconds per unit.
#: Coverage and gaps come out of one comparison, so both limits bound its time.
_BOUNDED: tuple[tuple[str, tuple[str, ...], str, float], ...] = (
    ("s3_scan_max_minutes", ("scan",), "the scan", 60.0),
    ("coverage_analysis_max_seconds", ("compare",), "the comparison (coverage and gaps together)", 1.0),
    ("gap_detection_max_seconds", ("compare",), "the comparison (coverage and gaps together)", 1.0),
    ("task_generation_max_seconds", ("publish",), "the publication", 1.0),
    ("full_cycle_max_minutes", ("plan", "scan", "compare", "publish"), "the cycle", 60.0),
)


@dataclass(frozen=True, slots=True)
class PerformanceLimits:
    """The limits as recon.yaml spells them; None where there is none."""

    s3_scan_max_minutes: float | None = None
    coverage_analysis_max_seconds: float | None = None
    gap_detection_max_seconds: float | None = None
    task_generation_max_seconds: float | None = None
    full_cycle_max_minutes: float | None = None


def exceeded_limits(limits: PerformanceLimits, timings_s: Mapping[str, float]) -> dict[str, bool]:
    """Return, by the key of each limit that is set, whether the timings exceed it."""
    return {key: took > limit for key, limit, _, took in _measured(limits, timings_s)}


def exceeded(limits: PerformanceLimits, timings_s: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each limit that the timings exceed: its key, its value, and what was measured."""
    for key, limit, doing, took in _measured(limits, timings_s):
        if took > limit:
            unit = key.rpartition("_")[2]
            yield f"performance.{key} is {limit:g}: {doing} took {took:.3g} {unit}"


def _measured(
    limits: PerformanceLimits, timings_s: Mapping[str, float]
) -> Iterator[tuple[str, float, str, float]]:
    """Yield each limit that is set: its key, its value, what it bounds, and what that took in its unit."""
    for key, steps, doing, unit_s in _BOUNDED:
        limit: float | None = getattr(limits, key)
        if limit is not None:
            yield key, limit, doing, sum(timings_s.get(step, 0.0) for step in steps) / unit_s
