"""The alerts of a control worker; while Redis is away, beat's tasks do not come, and the site tells."""

from __future__ import annotations

from functools import cache

from recon import access
from recon.alarm import Alarm, Round, alarm


@cache
def _alarm() -> Alarm:
    return alarm(access.settings())


def alert() -> Round | None:
    """Look how the engine stands, and tell what is due; None where another process does."""
    return _alarm().round(access.now())
