"""What a run does about cycles that nobody is left to end: it gives them up, so that its own can begin.

State name: ``cycles/<id>/asked.json``, there from a run's asking for a cycle until it has its answer.
"""

from __future__ import annotations

import json
from contextlib import suppress

from recon import access
from recon.access import Lookout
from recon.core.past_run import failed_run
from recon.errors import ReconError
from recon.run_book import record_run

#: Seconds that the crew of a killed run may take to end: it ends itself sooner (``workers.app``).
CREW_ENDS_S = 20.0
_ASKED = "asked.json"
_KILLED = "the run was killed, and nobody was left to end its cycle"


def ask(look: Lookout, cycle_id: str) -> None:
    """Note that a run asks for a cycle; should it be killed, nobody waits for that cycle any more."""
    look.state.put(f"cycles/{cycle_id}/{_ASKED}", b"{}")


def answered(look: Lookout, cycle_id: str) -> None:
    """Forget that a run asked: it has its answer."""
    with suppress(ReconError):
        look.state.delete(f"cycles/{cycle_id}/{_ASKED}")


def give_up(look: Lookout, cycle_id: str, why: str) -> None:
    """Free the cycle's lock, and tell whoever still holds messages of it that nobody waits for it."""
    document = {"message": why, "exit_code": 1, "kind": "GivenUp", "may_pass": False}
    name = f"cycles/{cycle_id}"
    with suppress(ReconError):
        if look.state.get(f"{name}/report.json") is None:
            look.state.put(f"{name}/error.json", json.dumps(document).encode())
            record_run(look.state, failed_run(cycle_id, document, access.now()))
    with suppress(ReconError):
        look.ledger.finished(cycle_id)
    answered(look, cycle_id)


def forsake(look: Lookout) -> None:
    """Give up the cycles that were asked for: nobody may be at work, so nobody waits for them any more."""
    for cycle_id in _asked(look):
        give_up(look, cycle_id, _KILLED)


def succeed(look: Lookout) -> None:
    """Give up the cycle that holds the lock, and those that were asked for: nobody may be at work."""
    holder = look.ledger.current()
    for cycle_id in {*_asked(look), *([] if holder is None else [holder])}:
        give_up(look, cycle_id, _KILLED)


def _asked(look: Lookout) -> list[str]:
    return [name.split("/")[1] for name in look.state.names("cycles/") if name.endswith(f"/{_ASKED}")]
