"""The whole policy of urgency on one screen: which priority a gap's key has, and the rule that says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recon.core.axis import AxisKind
from recon.core.block import Ordinals
from recon.core.domain import Domain
from recon.core.moments import Instants
from recon.core.season_levels import newest_pinned, season_levels
from recon.core.season_years import DEFAULT_STARTS, NO_SEASON, season_name, season_of
from recon.model import Notice, Priority

#: Rule numbers, as ``recon explain`` names them; index = the code that ``ranked`` returns.
RULES = (
    "required, and due within the last {critical_days:g} days",
    "of a high-priority season, or a step of the last 30 days",
    "of a medium-priority season, or a step of the last two years",
    "older, or without time",
)
RECENT = np.timedelta64(30, "D")
TWO_YEARS = np.timedelta64(730, "D")
LIFTS = {"IMMEDIATE", "HIGH"}


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's thresholds. Empty season lists mean: the current one is high, the two before are medium."""

    critical_threshold_s: float = 7 * 86400.0
    high_seasons: tuple[str, ...] = ()
    medium_seasons: tuple[str, ...] = ()
    below_critical: float = 0.50
    below_high: float = 0.80
    below_medium: float = 0.95
    below_low: float = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Per ordinal: its priority, the rule that decided (into ``RULES``), and when it was due (NaT: never)."""

    priorities: NDArray[np.uint8]
    rules: NDArray[np.uint8]
    due: Instants


def ranked(domain: Domain, ordinals: Ordinals, policy: Policy, now: np.datetime64) -> Ranked:
    """Return the priority of each ordinal's key; the first rule that holds wins, then declared limits."""
    due = domain.due_at(ordinals)
    times = _times(domain, ordinals, policy, now)
    window = np.timedelta64(round(critical_window_s(domain, policy)), "s")
    required = _required(domain, ordinals)
    age = now - times.step_ends
    rules = np.select(
        [
            required & times.timed & (due <= now) & (due > now - window),
            times.high | (age <= RECENT),
            times.medium | (age <= TWO_YEARS),
        ],
        [0, 1, 2],
        3,
    ).astype(np.uint8)
    return Ranked(limited(rules, domain.dataset.declared_priority, required), rules, due)


def critical_window_s(domain: Domain, policy: Policy) -> float:
    """Return for how long what fell due is critical: the source's own setting, else the policy's."""
    own = domain.dataset.critical_threshold_s
    return policy.critical_threshold_s if own is None else own


def by_completeness(have: int, wanted: int, policy: Policy) -> Priority:
    """Return the level that a counted gap's completeness alone gives it."""
    share = have / wanted if wanted else 1.0
    if share < policy.below_critical:
        return Priority.CRITICAL
    if share < policy.below_high:
        return Priority.HIGH
    if share < policy.below_medium:
        return Priority.MEDIUM
    return Priority.LOW


def limited(rules: NDArray[np.uint8], declared: str | None, required: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the levels after the declared ``priority`` and ``required``.

    IMMEDIATE and HIGH lift by one, never into CRITICAL; optional data is capped at MEDIUM.
    """
    levels = rules.copy()
    if (declared or "").upper() in LIFTS:
        levels = np.where(levels > Priority.HIGH, levels - 1, levels)
    return np.where(required, levels, np.maximum(levels, Priority.MEDIUM)).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """Per ordinal: the end of its time step (NaT: none), has it a time, is its season high or medium."""

    step_ends: Instants
    timed: NDArray[np.bool_]
    high: NDArray[np.bool_]
    medium: NDArray[np.bool_]


def _times(domain: Domain, ordinals: Ordinals, policy: Policy, now: np.datetime64) -> _Times:
    step_ends = np.full(len(ordinals), np.datetime64("NaT", "s"))
    timed, high, medium = (np.zeros(len(ordinals), dtype=np.bool_) for _ in range(3))
    for rows, block, own in domain.by_block(ordinals):
        for number, axis in enumerate(block.axes):
            index = block.index(own, number)
            if axis.kind is AxisKind.TIME and axis.ends_at is not None:
                step_ends[rows], timed[rows] = axis.ends_at[index], True
            if axis.due_at is not None and not block.pattern.due_by_life:
                timed[rows] = True
                step_ends[rows] = np.where(np.isnat(step_ends[rows]), axis.due_at[index], step_ends[rows])
            levels = season_levels(axis, policy.high_seasons, policy.medium_seasons, now)
            if levels is not None:
                high[rows] |= levels.high[index]
                medium[rows] |= levels.medium[index]
    return _Times(step_ends, timed, high, medium)


def _required(domain: Domain, ordinals: Ordinals) -> NDArray[np.bool_]:
    required = np.zeros(len(ordinals), dtype=np.bool_)
    for rows, block, _ in domain.by_block(ordinals):
        required[rows] = block.pattern.required
    return required


def stale_pins(policy: Policy, now: np.datetime64, starts: tuple[int, int] = DEFAULT_STARTS) -> list[Notice]:
    """Return a notice where every season that settings pin as high lies before the current one."""
    newest, current = newest_pinned(policy.high_seasons), season_of(now, starts) + 1
    if newest == NO_SEASON or newest >= current:
        return []
    return [
        Notice(
            f"gap_detection.high_priority_seasons ends at {season_name(newest - 1)}, before the current "
            f"season, {season_name(current - 1)}: newer seasons count as high too; pin the current one, "
            "or leave the key out to follow it",
        ),
    ]
