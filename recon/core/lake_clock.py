"""How far a host's clock is ahead of the lake's, by what its answers tell, and when that is too far."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

#: Seconds that a host's clock and the lake's may differ: freshness compares one with the other.
SKEW_MAX_S = 5.0
#: What the lake tells is cut to whole seconds.
_CUT_S = 1.0
_WHAT_FOLLOWS = (
    "staleness is judged by the lake's, due times by the engine's. Set the hosts' clocks by NTP; recon "
    "doctor compares them"
)


def skew_s(asked_at: datetime, answered_at: datetime, told: datetime) -> float:
    """Return the seconds that this clock is ahead of the lake's; as few as one answer allows.

    The lake told its time (``told``) at some instant between the question and the answer: an answer that took
    long proves nothing.
    """
    most = (answered_at - told).total_seconds()
    least = (asked_at - told).total_seconds() - _CUT_S
    return max(least, 0.0) if most > 0 else most


def nearest(skews_s: Iterable[float | None]) -> float | None:
    """Return the smallest of the skews that several answers show of one host; None where none shows any."""
    return min((one for one in skews_s if one is not None), key=abs, default=None)


def correction_s(found_s: float | None) -> float:
    """Return the seconds to take from this host's time, before the lake's times are held against it."""
    return 0.0 if found_s is None or abs(found_s) <= SKEW_MAX_S else found_s


def skew_words(skews_s: Iterable[float | None]) -> tuple[str, ...]:
    """Return what to tell of the skews of the hosts that looked: of the worst one, where it is too far."""
    worst = max((one for one in skews_s if one is not None), key=abs, default=0.0)
    if not correction_s(worst):
        return ()
    way = "ahead of" if worst > 0 else "behind"
    found = f"the engine's clock is {abs(worst):.0f} s {way} the lake's"
    return (f"{found}: {_WHAT_FOLLOWS}",)
