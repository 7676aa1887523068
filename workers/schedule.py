"""Beat's entries: the cycle, by its interval, and the watchdog."""

from __future__ import annotations

from typing import Any

from recon.access import interval_s
from recon.settings import Settings

#: The watchdog looks for shards past their deadline, and for chords that never fired, this often.
WATCHDOG_EVERY_S = 20.0


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the beat entries; each expires after one interval, so a late beat starts no storm."""
    every_s = interval_s(settings)
    watchdog = {
        "task": "recon.watchdog",
        "schedule": WATCHDOG_EVERY_S,
        "options": {"expires": WATCHDOG_EVERY_S},
    }
    if every_s is None:
        return {"watchdog": watchdog}
    cycle = {
        "task": "recon.scheduled_cycle",
        "schedule": every_s,
        "args": (every_s,),
        "options": {"expires": every_s},
    }
    return {"cycle": cycle, "watchdog": watchdog}
