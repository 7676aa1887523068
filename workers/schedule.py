"""Beat's entries: the cycle, by its interval, the watchdog, the care for the queues, and the alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from recon.access import interval_s
from recon.settings import Settings

#: The watchdog looks for shards past their deadline, and for chords that never fired, this often.
WATCHDOG_EVERY_S = 20.0
#: Claims are settled, and the queues topped up, this often.
TEND_EVERY_S = 10.0
#: What is wrong is looked for, and told, this often.
ALERT_EVERY_S = 60.0
#: Whether this interval had its cycle is asked a sixtieth of it after the last time, within these bounds:
#: one that was missed, or paused, runs late, once.
SLOT_EVERY_S, SLOT_AT_LEAST_EVERY_S = 20.0, 60.0
#: What is done between cycles: of it no events tell, which would bury the cycles' tasks in Flower.
HOUSEKEEPING = frozenset(("recon.watchdog", "recon.tend", "recon.alert"))
#: When a beat that remembers nothing last asked: at once.
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the beat entries; each expires before the next, so a late beat starts no storm."""
    every_s = interval_s(settings)
    watchdog = {
        "task": "recon.watchdog",
        "schedule": WATCHDOG_EVERY_S,
        "options": {"expires": WATCHDOG_EVERY_S},
    }
    tend = {"task": "recon.tend", "schedule": TEND_EVERY_S, "options": {"expires": TEND_EVERY_S}}
    alert = {"task": "recon.alert", "schedule": ALERT_EVERY_S, "options": {"expires": ALERT_EVERY_S}}
    always = {"watchdog": watchdog, "tend": tend, "alert": alert}
    if every_s is None:
        return always
    look_s = min(every_s, max(SLOT_EVERY_S, min(every_s / 60, SLOT_AT_LEAST_EVERY_S)))
    cycle = {
        "task": "recon.scheduled_cycle",
        "schedule": look_s,
        "args": (every_s,),
        "last_run_at": _LONG_AGO,
        "options": {"expires": look_s},
    }
    return {"cycle": cycle, **always}
