"""Beat's entries: the cycle, by its interval, the watchdog, and the care for the queues."""

from __future__ import annotations

from typing import Any

from recon.access import interval_s
from recon.settings import Settings

#: The watchdog looks for shards past their deadline, and for chords that never fired, this often.
WATCHDOG_EVERY_S = 20.0
#: Claims are settled, and the queues topped up, this often.
TEND_EVERY_S = 10.0


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the beat entries; each expires after one interval, so a late beat starts no storm."""
    every_s = interval_s(settings)
    watchdog = {
        "task": "recon.watchdog",
        "schedule": WATCHDOG_EVERY_S,
        "options": {"expires": WATCHDOG_EVERY_S},
    }
    tend = {"task": "recon.tend", "schedule": TEND_EVERY_S, "options": {"expires": TEND_EVERY_S}}
    always = {"watchdog": watchdog, "tend": tend}
    if every_s is None:
        return always
    cycle = {
        "task": "recon.scheduled_cycle",
        "schedule": every_s,
        "args": (every_s,),
        "options": {"expires": every_s},
    }
    return {"cycle": cycle, **always}
