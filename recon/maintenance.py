"""A pause of the engine, in the state: while it lasts no cycle begins, and no claim is judged.

State name: ``pause.json``. A cycle that is under way ends; one that somebody asks for by hand runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from recon.errors import StateError

if TYPE_CHECKING:  # ports describe Arrow batches; who only asks for the pause does without Arrow
    from recon.ports import StateStore

_NAME = "pause.json"


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when the engine is paused, until when (None: until resumed), and why."""

    since: datetime
    until: datetime | None = None
    reason: str = ""

    def lasts(self, now: datetime) -> bool:
        """Return whether it is not over yet at ``now``."""
        return self.until is None or now < self.until

    def document(self) -> dict[str, str | None]:
        """Return it as JSON holds it."""
        return {
            "since": self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "reason": self.reason,
        }


def pause(state: StateStore, wanted: Pause) -> None:
    """Pause the engine, instead of any pause that there is."""
    state.put(_NAME, json.dumps(wanted.document()).encode())


def ended(state: StateStore, now: datetime) -> Pause | None:
    """End the pause; return the one that was, None where there was none that could be read."""
    try:
        found = paused(state, now)
    except StateError:
        found = None
    state.delete(_NAME)
    return found


def paused(state: StateStore, now: datetime) -> Pause | None:
    """Return the pause that lasts at ``now``; None where cycles may begin.

    Raises:
        StateError: The record cannot be read: nobody knows whether cycles may begin.
    """
    content = state.get(_NAME)
    if content is None:
        return None
    try:
        written = json.loads(content)
        until = written["until"]
        found = Pause(
            datetime.fromisoformat(written["since"]),
            None if until is None else datetime.fromisoformat(until),
            str(written["reason"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{_NAME} in the state cannot be read, so no cycle begins. Next: recon resume, or recon pause"
        ) from error
    return found if found.lasts(now) else None
