"""The record of runs: how each ended, and what it came to.

State name: ``history/runs.json``, ``{"schema": "recon.runs/1", "runs": [...]}``, the oldest run first.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from recon.core.past_run import PastRun, read_run, with_run
from recon.errors import StateError

if TYPE_CHECKING:  # ports describe Arrow batches; whoever gives a run up does without Arrow
    from recon.ports import StateStore

NAME = "history/runs.json"
_SCHEMA = "recon.runs/1"
#: Two who write at once would lose a run: what was written is read again, and written anew this often.
_TRIES = 3


def load_runs(state: StateStore) -> tuple[PastRun, ...]:
    """Return the remembered runs, the oldest first; raise ``StateError`` where they cannot be read."""
    content = state.get(NAME)
    if content is None:
        return ()
    try:
        return tuple(map(read_run, json.loads(content)["runs"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"{NAME} in the state cannot be read ({error!r}). Delete it to begin the record of runs anew"
        ) from error


def record_run(state: StateStore, run: PastRun, oldest: datetime | None = None) -> None:
    """Remember a run, and forget those that ended before ``oldest``; doing it twice changes nothing."""
    for _ in range(_TRIES):
        known = load_runs(state)
        runs = with_run(known, run, oldest)
        if runs == known:
            return
        document = {"schema": _SCHEMA, "runs": [one.document() for one in runs]}
        content = json.dumps(document, separators=(",", ":")).encode()
        state.put(NAME, content)
        if state.get(NAME) == content:
            return
