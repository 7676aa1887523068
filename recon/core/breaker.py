"""When a scraper is paused for what it claims."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """So many refuted or failed claims in a row pause a scraper, until it is probed."""

    refuted_in_row: int = 5
    probe_after: timedelta = timedelta(hours=1)
