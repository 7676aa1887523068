"""Drive one cycle and wait for its report: through Celery, or in this process.

With an embedded broker the driver is also the supervisor of its own workers and of the broker: what dies is
started again, and what it held is sent out again. Every step is idempotent, so that changes no answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from recon import cycle, wiring
from recon.errors import BrokerError, ReconError
from workers.crew import Crew

_POLL_S = 0.02
#: Without a sign of life from a worker after this long, nobody consumes the queue.
_PATIENCE_S = 60.0
#: All shards done, and no report: the final step is sent out again this often.
_FINISH_AGAIN_S = 10.0

Progress = Callable[[int, int], None]


class RemoteError(ReconError):
    """Raised when a worker reports that the cycle failed; carries that failure's exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_cycle(
    wired: wiring.Engine, environment: Mapping[str, str], flags: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Run one cycle through the workers; return its report.

    Args:
        wired: The caller's ports.
        environment: What the workers' processes get.
        flags: ``dry_run`` and ``select``.
        progress: Called with (shards done, shards planned).

    Raises:
        ReconError: What a worker reported, or that no worker answered.
    """
    embedded = wired.settings.broker is None
    log = wiring.state_folder(wired.settings) / "workers.log" if embedded else None
    with Crew(environment, log) if log is not None else nullcontext() as crew:
        waiting = _Waiting(wired, wiring.new_cycle_id(wired.ports.clock()), dict(flags), crew, progress)
        return waiting.report()


class _Waiting:
    """One cycle that was sent out, watched until its report is there."""

    def __init__(
        self,
        wired: wiring.Engine,
        cycle_id: str,
        flags: dict[str, Any],
        crew: Crew | None,
        progress: Progress,
    ) -> None:
        from workers import tasks  # noqa: PLC0415 - Celery takes 0.3 s to import; the crew starts meanwhile

        self._tasks = tasks
        self._wired = wired
        self._cycle_id = cycle_id
        self._flags = flags
        self._crew = crew
        self._progress = progress
        self._seen = (-1, -1)
        self._seen_at = time.monotonic()

    def report(self) -> dict[str, Any]:
        """Send the cycle out and return its report."""
        self._begin()
        while True:
            found = self._outcome()
            if found is not None:
                return found
            try:
                self._watch()
            except BrokerError:
                self._revive_broker()
            time.sleep(_POLL_S)

    def _begin(self) -> None:
        self._tasks.begin.apply_async((self._cycle_id, self._flags))

    def _outcome(self) -> dict[str, Any] | None:
        state = self._wired.ports.state
        content = state.get(f"cycles/{self._cycle_id}/report.json")
        if content is not None:
            return dict(json.loads(content))
        failure = state.get(f"cycles/{self._cycle_id}/error.json")
        if failure is not None:
            document = json.loads(failure)
            raise RemoteError(document["message"], int(document["exit_code"]))
        return None

    def _watch(self) -> None:
        ledger = self._wired.ledger
        done, left = len(ledger.refs(self._cycle_id)), len(ledger.remaining(self._cycle_id))
        if (done, left) != self._seen:
            self._seen, self._seen_at = (done, left), time.monotonic()
            self._progress(done, done + left)
        if self._crew is not None and self._crew.revived():
            self._send_again()
        silent_s = time.monotonic() - self._seen_at
        if done and not left and silent_s > _FINISH_AGAIN_S:
            self._seen_at = time.monotonic()
            self._send_again()
        if silent_s > _PATIENCE_S and ledger.current() != self._cycle_id:
            raise RemoteError(
                "no worker takes the cycle. Start them: celery -A workers.app worker -Q recon.control -c 1, "
                "and celery -A workers.app worker -Q recon.scan -P threads -c 16; or use recon run --inline",
                BrokerError.exit_code,
            )

    def _send_again(self) -> None:
        """Send out again whatever a lost worker or broker may have held."""
        ledger = self._wired.ledger
        if not ledger.refs(self._cycle_id) and not ledger.remaining(self._cycle_id):
            self._begin()
            return
        self._tasks.dispatch_again(self._cycle_id, ledger.remaining(self._cycle_id))

    def _revive_broker(self) -> None:
        if self._crew is None:
            raise BrokerError(
                "the broker went away during the cycle; the next cycle looks again at everything"
            )
        wiring.broker(self._wired.settings)
        self._send_again()


def run_inline(wired: wiring.Engine, flags: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run one cycle in this process, with no workers; return its report."""
    cycle_id = wiring.new_cycle_id(wired.ports.clock())
    fence = wired.ledger.acquire(cycle_id)
    try:
        with wired.ledger.hold(cycle_id):
            started = time.monotonic()
            judged = wiring.planned(wired, cycle_id, flags)
            spent_s = {"plan": time.monotonic() - started, "planned_at": time.time()}
            for number, shard in enumerate(judged.scanned, start=1):
                cycle.scan_shard(wired.ports, judged, shard)
                progress(number, len(judged.scanned))
            return cycle.conclude(wired.ports, judged, fence, spent_s)
    finally:
        wired.ledger.release(cycle_id)
