"""Which failed cycles are forgotten: those that nobody can still be waiting for.

State name: ``cycles/<id>/error.json``. While it is there, it answers whoever waits, and keeps messages of a
cycle that was given up from beginning it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from recon.errors import StateError
from recon.ports import StateStore

#: Longer than any message of a failed cycle is still delivered (``messages.BEGIN_EXPIRES_S``, the broker's
#: visibility timeout), and than a run waits for an answer that is there.
KEPT = timedelta(hours=1)
_ERROR = "error.json"
_STAMP = "%Y%m%dT%H%M%S"


def forgettable(names: Iterable[str], finished: str) -> Iterator[str]:
    """Yield the error files, of the state's ``names``, older than the ``finished`` cycle by ``KEPT``."""
    last = _asked_at(finished)
    for name in names:
        cycle_id, _, file = name.removeprefix("cycles/").partition("/")
        began = _asked_at(cycle_id)
        if file == _ERROR and began is not None and last is not None and began + KEPT < last:
            yield name


def forget_failures(state: StateStore, finished: str) -> None:
    """Delete what ``forgettable`` names; a state that fails keeps it until the next cycle."""
    with suppress(StateError):
        for name in forgettable(state.names("cycles/"), finished):
            state.delete(name)


def _asked_at(cycle_id: str) -> datetime | None:
    """Return the instant (UTC) that a cycle's id begins with; None for another kind of id."""
    try:
        return datetime.strptime(cycle_id.partition("-")[0], _STAMP)  # noqa: DTZ007 - compared among themselves
    except ValueError:
        return None
