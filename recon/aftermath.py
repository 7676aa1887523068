"""What follows a cycle's end, one step at a time: none of them can fail the cycle.

A step that fails is told by the log and counted (``trouble_book``). ``keep`` and ``fail`` are quick, and done
before the cycle lets go of its lock; ``follow`` may speak to others, and is done when nobody waits any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recon.brake_record import load as load_brake
from recon.core.dims import dims_values, is_due
from recon.core.gaps import Gap
from recon.core.past_run import failed_run, finished_run
from recon.core.retention import outlived
from recon.kept_history import keep_findings, prune_days
from recon.kept_look import kept_cycles
from recon.last_cycle import latest
from recon.masking import masked
from recon.ports import MetricsRegistry, StateStore
from recon.run_book import record_run
from recon.trouble_book import TroubleBook

#: Reports and errors of single cycles that one cycle deletes at most.
_DELETIONS_MAX = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The steps after a cycle, over what they write to. ``registry`` None: there are no metrics to update.

    ``triggers`` are the events that update them (``recon.core.dims``).
    """

    state: StateStore
    clock: Callable[[], datetime]
    troubles: TroubleBook
    history_days: int
    registry: MetricsRegistry | None = None
    triggers: Collection[str] = ()

    def keep(self, report: Mapping[str, Any], gaps: Iterable[Gap]) -> None:
        """Put a finished cycle into the history; a second time changes nothing."""
        self._step("history", lambda: keep_findings(self.state, report, gaps))
        self._step("runs", lambda: record_run(self.state, finished_run(report), self._oldest()))

    def fail(self, cycle_id: str, failure: Mapping[str, Any], *, dry_run: bool) -> None:
        """Put a cycle that failed, or found another one running, into the record of runs."""
        self._step("runs", lambda: self._fail(cycle_id, failure, dry_run=dry_run))

    def follow(self, report: Mapping[str, Any]) -> None:
        """Update the metrics, then delete what has outlived its use."""
        if self.registry is not None and is_due(report, self.triggers):
            registry = self.registry
            self._step("dims", lambda: registry.update(dims_values(report), self.clock()))
        self._step("prune", lambda: self._prune(str(report["cycle_id"])))

    def _fail(self, cycle_id: str, failure: Mapping[str, Any], *, dry_run: bool) -> None:
        record_run(self.state, failed_run(cycle_id, failure, self.clock(), dry_run=dry_run), self._oldest())

    def _prune(self, ended: str) -> None:
        going = list(outlived(self.state.names("cycles/"), ended))
        if any(name.endswith("/report.json") for _, name in going):
            spared = {*_latest(self.state), *kept_cycles(self.state), *load_brake(self.state).cycles}
            going = [(cycle_id, name) for cycle_id, name in going if cycle_id not in spared]
        for _, name in going[:_DELETIONS_MAX]:
            self.state.delete(name)
        prune_days(self.state, self.clock(), self.history_days)

    def _oldest(self) -> datetime:
        return self.clock() - timedelta(days=self.history_days)

    def _step(self, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever it was, the cycle has ended as it has
            _log.warning("after a cycle, %s failed: %s", name, masked(str(error)) or type(error).__name__)
            self.troubles.note(name, error, self.clock())


def _latest(state: StateStore) -> set[str]:
    return set() if state.get("latest.json") is None else {latest(state)}
