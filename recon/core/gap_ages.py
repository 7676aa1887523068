"""How long gaps have been open, in a few named spans that reports, metrics and the page share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_HOUR_S, _DAY_S = 3600.0, 86_400.0
#: Name -> the age in seconds that it ends before; the last one has no end.
AGES: Mapping[str, float] = MappingProxyType(
    {
        "under_1h": _HOUR_S,
        "under_1d": _DAY_S,
        "under_7d": 7 * _DAY_S,
        "under_30d": 30 * _DAY_S,
        "older": float("inf"),
    }
)


def age_name(age_s: float) -> str:
    """Return the name of the span that an age lies in."""
    return next(name for name, end_s in AGES.items() if age_s < end_s)
