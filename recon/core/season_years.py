"""Arithmetic on seasons: which season an instant falls in, and the interval and year a season stands for."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from recon.core.moments import Instants

#: Month and day on which a season begins unless declared otherwise (``starts: "10-01"``).
DEFAULT_STARTS = (10, 1)
#: What ``last_year`` returns for a text that is no season.
NO_SEASON = -1


def season_starts(years: NDArray[np.int64], starts: tuple[int, int] = DEFAULT_STARTS) -> Instants:
    """Return the UTC midnights at which the seasons that begin in ``years`` start."""
    month, day = starts
    months = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    return (months.astype("datetime64[D]") + (day - 1)).astype("datetime64[s]")


def season_of(now: np.datetime64, starts: tuple[int, int] = DEFAULT_STARTS) -> int:
    """Return the first year of the season that ``now`` falls in."""
    year = calendar_year(now)
    begun = season_starts(np.array([year]), starts)[0] <= now
    return year if begun else year - 1


def calendar_year(now: np.datetime64) -> int:
    """Return the UTC calendar year of ``now``."""
    return int(now.astype("datetime64[Y]").astype(np.int64)) + 1970


def season_name(year: int) -> str:
    """Return the name of the season that begins in ``year``: 1999 -> ``1999-00``."""
    return f"{year:04d}-{(year + 1) % 100:02d}"


def last_year(season: str) -> int:
    """Return the year in which a season ends: ``2024-25`` and ``2025`` -> 2025; other texts -> -1."""
    named = re.fullmatch(r"(\d{4})-(\d{2})", season)
    if named:
        return int(named[1]) + 1
    return int(season) if re.fullmatch(r"\d{4}", season) else NO_SEASON
