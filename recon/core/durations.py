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
