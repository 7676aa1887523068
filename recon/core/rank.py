"""The whole policy of urgency on one screen: which priority a gap's key has, and the rule that says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.block import Ordinals
from recon.core.domain import Domain
from recon.core.moments import Instants
from recon.core.season_years import season_of
from recon.model import Priority

#: Rule numbers, as ``recon explain`` names them; index = the code that ``ranked`` returns.
RULES = (
    "required, and due within the last {critical_days:g} days",
    "of a high-priority season, or a step of the last 30 days",
    "of a medium-priority season, or a step of the last two years",
    "older, or without time",
)
_RECENT = np.timedelta64(30, "D")
_TWO_YEARS = np.timedelta64(730, "D")
_LIFTS = {"IMMEDIATE", "HIGH"}
_NO_SEASON = -1


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
    dataset = domain.dataset
    due = domain.due_at(ordinals)
    seasons, step_ends, timed = _times(domain, ordinals)
    window_s = policy.critical_threshold_s
    if dataset.critical_threshold_s is not None:
        window_s = dataset.critical_threshold_s
    window = np.timedelta64(round(window_s), "s")
    required = _required(domain, ordinals)
    age = now - step_ends
    rules = np.select(
        [
            required & timed & (due <= now) & (due > now - window),
            _in_seasons(seasons, policy.high_seasons, _current(now), newest=True) | (age <= _RECENT),
            _in_seasons(seasons, policy.medium_seasons, _current(now), newest=False) | (age <= _TWO_YEARS),
        ],
        [0, 1, 2],
        3,
    ).astype(np.uint8)
    return Ranked(limited(rules, dataset.declared_priority, required), rules, due)


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
    if (declared or "").upper() in _LIFTS:
        levels = np.where(levels > Priority.HIGH, levels - 1, levels)
    return np.where(required, levels, np.maximum(levels, Priority.MEDIUM)).astype(np.uint8)


def _times(domain: Domain, ordinals: Ordinals) -> tuple[NDArray[np.int64], Instants, NDArray[np.bool_]]:
    """Return per ordinal: its season's last year (-1: none), its time step's end (NaT: none), is it timed."""
    seasons = np.full(len(ordinals), _NO_SEASON, dtype=np.int64)
    step_ends = np.full(len(ordinals), np.datetime64("NaT", "s"))
    timed = np.zeros(len(ordinals), dtype=np.bool_)
    for rows, block, own in domain.by_block(ordinals):
        for number, axis in enumerate(block.axes):
            index = block.index(own, number)
            if axis.kind is AxisKind.TIME and axis.ends_at is not None:
                step_ends[rows], timed[rows] = axis.ends_at[index], True
            if axis.due_at is not None:
                timed[rows] = True
                step_ends[rows] = np.where(np.isnat(step_ends[rows]), axis.due_at[index], step_ends[rows])
            years = _season_years(axis)
            if years is not None:
                seasons[rows] = years[index]
    return seasons, step_ends, timed


def _season_years(axis: Axis) -> NDArray[np.int64] | None:
    """Return the last year of the season each index of an axis stands for; None where it has none."""
    if axis.kind is AxisKind.TIME:
        return None
    named = [name for name in ("season", "year") if name in axis.fields]
    field = named[0] if named else axis.name if axis.kind is AxisKind.SEASON else None
    if field is None or (axis.kind is AxisKind.INTEGER and axis.starts_at is None):
        return None
    distinct = axis.texts(field)
    unique = distinct.unique()
    years = [last_year(text) for text in unique.to_list()]
    return distinct.replace_strict(unique, pl.Series(years, dtype=pl.Int64)).to_numpy()


def last_year(season: str) -> int:
    """Return the year in which a season ends: ``2024-25`` and ``2025`` -> 2025; other texts -> -1."""
    named = re.fullmatch(r"(\d{4})-(\d{2})", season)
    if named:
        return int(named[1]) + 1
    return int(season) if re.fullmatch(r"\d{4}", season) else _NO_SEASON


def _current(now: np.datetime64) -> int:
    return season_of(now) + 1


def _in_seasons(
    seasons: NDArray[np.int64], pinned: tuple[str, ...], current: int, *, newest: bool
) -> NDArray[np.bool_]:
    years = [last_year(season) for season in pinned]
    if not years:
        years = [current] if newest else [current - 1, current - 2]
    inside = np.isin(seasons, years)
    if newest:
        inside |= (seasons > max(years)) & (seasons != _NO_SEASON)
    return inside


def _required(domain: Domain, ordinals: Ordinals) -> NDArray[np.bool_]:
    required = np.zeros(len(ordinals), dtype=np.bool_)
    for rows, block, _ in domain.by_block(ordinals):
        required[rows] = block.pattern.required
    return required
