"""The brake's limits: how sudden a loss must be to be held back, and when a loss that stands is believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: A baseline of so many or more that is gone altogether trips the brake, however few they were.
_ALL_GONE = 3
#: Complete cycles beyond the first that must show a loss before it is believed.
_CYCLES = 2


@dataclass(frozen=True, slots=True)
class BrakeLimits:
    """The settings of the brake; ``head_max`` keys that vanished are asked for before it trips."""

    enabled: bool = True
    min_keys: int = 10
    fraction: float = 0.15
    auto_release_after: timedelta = timedelta(hours=24)
    head_max: int = 20


@dataclass(frozen=True, slots=True)
class Hold:
    """A loss that is held back: since when, by which cycle, and how many complete cycles saw it since."""

    since: datetime
    cycle_id: str
    complete_cycles: int = 0


def trips(before: int, vanished: int, limits: BrakeLimits) -> bool:
    """Return whether losing ``vanished`` of ``before`` is too sudden to be believed at once."""
    if not limits.enabled or vanished <= 0:
        return False
    if before >= _ALL_GONE and vanished >= before:
        return True
    return vanished >= limits.min_keys and vanished > limits.fraction * before


def releases(before: int, vanished: int, hold: Hold, now: datetime, limits: BrakeLimits) -> bool:
    """Return whether a loss has stood for long enough; one of more than half never has."""
    stood = now - hold.since >= limits.auto_release_after and hold.complete_cycles >= _CYCLES
    return stood and 2 * vanished <= before
