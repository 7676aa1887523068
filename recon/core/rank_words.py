"""The rule that ranked one key, in words, with the values that decided."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recon.core.axis import Axis, AxisKind
from recon.core.domain import Domain
from recon.core.moments import Instants
from recon.core.rank import LIFTS, RULES, Policy, Ranked, critical_window_s, ranked
from recon.core.season_levels import season_levels
from recon.model import Priority

_NEVER = np.datetime64("NaT", "s")


def ranking_words(domain: Domain, ordinal: int, policy: Policy, now: np.datetime64) -> str:
    """Return the rule that decided the priority of ``ordinal``, its values, and what lifted or capped it."""
    found = ranked(domain, np.array([ordinal]), policy, now)
    rule = int(found.rules[0])
    words = RULES[rule].format(critical_days=critical_window_s(domain, policy) / 86400)
    values = "; ".join(_values(domain, ordinal, found, policy, now))
    return f"{words} ({values}){_limit_words(domain, found)}"


def _values(domain: Domain, ordinal: int, found: Ranked, policy: Policy, now: np.datetime64) -> Iterator[str]:
    """Yield what the deciding rule looked at."""
    rule = int(found.rules[0])
    if rule == Priority.CRITICAL:
        yield f"due {_text(found.due[0])}"
        return
    seen = False
    for _, block, own in domain.by_block(np.array([ordinal])):
        for number, axis in enumerate(block.axes):
            index = int(block.index(own, number)[0])
            end = _NEVER if block.pattern.due_by_life else _step_end(axis, index)
            if not np.isnat(end):
                seen = True
                yield f"{'its step ended' if axis.kind is AxisKind.TIME else 'due'} {_text(end)}"
            levels = season_levels(axis, policy.high_seasons, policy.medium_seasons, now)
            if levels is not None:
                seen = True
                current = "none" if levels.current is None else levels.texts[levels.current]
                yield f"season {levels.texts[index]}, the current one is {current}"
    if not seen:
        yield "it has no time"
        return
    for key, pins in (
        ("high_priority_seasons", policy.high_seasons),
        ("medium_priority_seasons", policy.medium_seasons),
    ):
        if pins:
            yield f"{key}: {', '.join(pins)}"


def _step_end(axis: Axis, index: int) -> np.datetime64:
    ends: Instants | None = axis.ends_at if axis.kind is AxisKind.TIME else axis.due_at
    return _NEVER if ends is None else np.datetime64(ends[index], "s")


def _limit_words(domain: Domain, found: Ranked) -> str:
    """Return what the declared ``priority`` and ``required`` made of the rule's level."""
    level, ruled = Priority(int(found.priorities[0])), Priority(int(found.rules[0]))
    if level is ruled:
        return ""
    if level < ruled:
        return f"; priority: {domain.dataset.declared_priority} lifts it from {ruled.label} to {level.label}"
    declared = (domain.dataset.declared_priority or "").upper()
    lifted = f", though priority: {declared} lifts it" if declared in LIFTS else ""
    return f"; required: false caps it at {level.label}{lifted}"


def _text(moment: np.datetime64) -> str:
    return f"{moment}Z"
