"""What a worker says of itself when ``recon doctor`` asks: its lake, its state, its version, its clock.

Celery runs this in the worker, beside the tasks; it is asked for by ``workers.census``.
"""

from __future__ import annotations

import time
from functools import cache
from importlib.metadata import version
from typing import Any

from celery.worker.control import inspect_command

from recon import access
from recon.errors import ReconError
from recon.masking import masked
from recon.ports import StateStore
from recon.settings import Settings

#: The command's name among Celery's.
NAME = "recon_roll_call"


@cache
def _reached() -> tuple[Settings, StateStore]:
    chosen = access.settings()
    return chosen, access.state(chosen)


@inspect_command(name=NAME, args=[("probe", str)])
def recon_roll_call(_: Any, probe: str) -> dict[str, Any]:
    """Return what this worker works on, and whether it sees the state's file ``probe``."""
    said: dict[str, Any] = {"at": time.time(), "version": version("recon")}
    try:
        chosen, state = _reached()
        said |= {"lake": chosen.lake, "prefix": chosen.queues.prefix, "state": chosen.state}
        said["sees"] = state.get(probe) is not None
    except ReconError as error:
        said |= {"sees": False, "problem": masked(str(error))}
    return said
