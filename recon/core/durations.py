"""Durations as people write them in YAML and flags: ``90s``, ``15m``, ``6h``, ``14d``."""

from __future__ import annotations

import re

#: Seconds per unit letter. A month has no fixed length, so days are the longest unit.
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WRITTEN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])")

#: What to say where a duration was expected.
EXPECTED = "a duration such as 90s, 15m, 6h or 14d"


def duration_s(text: str) -> float | None:
    """Return the seconds that ``text`` stands for, or None when it is not a duration."""
    found = _WRITTEN.fullmatch(text.strip())
    return float(found[1]) * _UNITS[found[2]] if found else None


def duration_words(seconds: float) -> str:
    """Return seconds as people read them: ``45 s``, ``12 min 05 s``, ``3 h 20 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
