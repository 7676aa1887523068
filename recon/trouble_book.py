"""What went wrong after cycles, counted by step: none of it failed a cycle.

State name: ``troubles.json``, step -> ``{"count", "last_at", "message"}``. It stands outside of ``history/``,
which may be what fails.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from recon.errors import ReconError
from recon.masking import masked

if TYPE_CHECKING:
    from recon.ports import StateStore

NAME = "troubles.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often one step failed, when and why it last did."""

    count: int
    last_at: datetime
    message: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON keeps and shows it."""
        return {
            "count": self.count,
            "last_at": self.last_at.astimezone(UTC).isoformat(timespec="seconds"),
            "message": self.message,
        }


def load_troubles(state: StateStore) -> dict[str, Trouble]:
    """Return the troubles by step; none where there are none, or they cannot be read."""
    try:
        rows: Mapping[str, Any] = json.loads(state.get(NAME) or b"{}")
        return {
            step: Trouble(int(row["count"]), datetime.fromisoformat(row["last_at"]), str(row["message"]))
            for step, row in rows.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


class TroubleBook:
    """Counts troubles; what a failing state does not take is kept here, and written with the next one."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._unwritten: dict[str, int] = {}
        self._lock = Lock()

    @property
    def unwritten(self) -> int:
        """Return how many troubles the state has not taken yet."""
        with self._lock:
            return sum(self._unwritten.values())

    def note(self, step: str, error: Exception, at: datetime) -> None:
        """Count one failure of ``step``; never fails itself."""
        message = masked(str(error)) or type(error).__name__
        with self._lock:
            self._unwritten[step] = self._unwritten.get(step, 0) + 1
            try:
                self._write(step, message, at)
            except ReconError as silent:
                _log.warning("a failed %s is counted in this process alone: %s", step, silent)

    def _write(self, step: str, message: str, at: datetime) -> None:
        known = load_troubles(self._state)
        for name, more in self._unwritten.items():
            before = known.get(name) or Trouble(0, at, message)
            fresh = name == step
            known[name] = Trouble(
                before.count + more,
                at if fresh else before.last_at,
                message if fresh else before.message,
            )
        document = {name: trouble.document() for name, trouble in known.items()}
        self._state.put(NAME, json.dumps(document).encode())
        self._unwritten.clear()
