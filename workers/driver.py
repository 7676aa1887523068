"""Drive one cycle through Celery and wait for its report.

With an embedded broker the driver is also the supervisor of its own workers and of the broker: what dies is
started again, and what it held is sent out again. Every step is idempotent, so that changes no answer. Over a
broker of somebody's own, whoever answers works; where nobody does, the driver starts workers there too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from recon import access
from recon.core.progress import Phase, Progress, RunProgress, ScanWatch
from recon.errors import BrokerError, ReconError
from recon.settings import Settings
from workers import succession
from workers.retrying import run_attempts
from workers.staff import Staff

#: Seconds between looks at the ledger, at a state on S3 (each look is a request), and at the progress board.
_POLL_S = 0.03
_POLL_S3_S = 0.5
_BOARD_S = 0.25
#: Without a shard done after this long, the workers are asked, which takes a second, whether they are there.
_ASK_S = 2.0
#: Without a sign of life from a worker after this long, nobody consumes the queue.
_PATIENCE_S = 60.0
#: All shards done, and no report: the final step is sent out again this often.
_FINISH_AGAIN_S = 10.0
#: What the final step may take after its report is written.
_SETTLE_S = 60.0


class RemoteError(ReconError):
    """Raised when a worker reports that the cycle failed; carries that failure's exit code."""

    def __init__(
        self, message: str, exit_code: int, *, may_pass: bool = False, at_once: bool = False
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.may_pass = may_pass
        self.at_once = at_once


@contextmanager
def run_cycle(
    chosen: Settings, flags: Mapping[str, Any], progress: Progress, say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Run one cycle through the workers; yield its report. The run's own workers stop when the block ends.

    A cycle that fails is tried again, as a new one, up to ``reconciliation_loop.max_retries`` times.

    An interruption gives the cycle up: its lock is free for the next one, and what it queued stays.

    Args:
        chosen: How it runs.
        flags: ``dry_run`` and ``select``.
        progress: Told how far the cycle is.
        say: Told why a cycle is tried again.

    Raises:
        ReconError: What a worker reported, or that no worker answered.
    """
    with Staff(chosen, say) as staff:
        # Everything here happens while the workers start, which takes longest.
        if access.sample_is_wanted(chosen):
            progress(RunProgress(Phase.SAMPLE))
            access.make_sample(chosen)

        def attempt() -> tuple[_Waiting, dict[str, Any]]:
            progress(RunProgress(Phase.STARTING if staff.is_own else Phase.WAITING))
            waiting = _Waiting(chosen, flags, staff, progress)
            return waiting, waiting.report()

        waiting, report = run_attempts(attempt, chosen.loop.max_retries, say)
        yield report
        if staff.is_own:
            waiting.settle()


class _Waiting:
    """One cycle that is sent out, watched until its report is there."""

    def __init__(self, chosen: Settings, flags: Mapping[str, Any], staff: Staff, progress: Progress) -> None:
        from workers import messages  # noqa: PLC0415 - Celery takes 0.2 s to import; the crew starts meanwhile

        self._messages = messages
        self._chosen = chosen
        self._look = access.lookout(chosen)
        self._cycle_id = access.new_cycle_id(access.now())
        self._flags = flags
        self._staff = staff
        self._asked = False
        self._progress = progress
        self._watch = ScanWatch()
        self._seen = (-1, -1)
        self._seen_at = time.monotonic()
        self._state_next = self._board_next = 0.0

    def report(self) -> dict[str, Any]:
        """Send the cycle out and return its report."""
        if self._staff.has_own_broker:
            succession.ask(self._look, self._cycle_id)
        self._messages.send_begin(self._cycle_id, self._flags)
        try:
            while True:
                found = self._outcome()
                if found is not None:
                    succession.answered(self._look, self._cycle_id)
                    return found
                try:
                    self._look_after()
                except BrokerError:
                    self._revive_broker()
                time.sleep(_POLL_S)
        except (KeyboardInterrupt, SystemExit):
            with suppress(ReconError):  # the interruption is what ends this run, whatever Redis says to it
                succession.give_up(self._look, self._cycle_id, "the run was interrupted")
            raise
        except RemoteError:
            succession.answered(self._look, self._cycle_id)
            raise

    def settle(self) -> None:
        """Wait until the final step has ended, and what follows it: after the report it writes on."""
        give_up = time.monotonic() + _SETTLE_S
        ledger = self._look.ledger
        with suppress(BrokerError):
            while time.monotonic() < give_up:
                if ledger.current() != self._cycle_id and not ledger.is_followed(self._cycle_id):
                    return
                time.sleep(_POLL_S)

    def _outcome(self) -> dict[str, Any] | None:
        now_s = time.monotonic()
        if now_s < self._state_next:
            return None
        self._state_next = now_s + (_POLL_S3_S if self._chosen.state_folder is None else 0.0)
        state = self._look.state
        content = state.get(f"cycles/{self._cycle_id}/report.json")
        if content is not None:
            return dict(json.loads(content))
        failure = state.get(f"cycles/{self._cycle_id}/error.json")
        if failure is not None:
            document = json.loads(failure)
            raise RemoteError(
                document["message"],
                int(document["exit_code"]),
                may_pass=bool(document["may_pass"]),
                at_once=bool(document.get("at_once")),
            )
        return None

    def _look_after(self) -> None:
        ledger = self._look.ledger
        done, left = len(ledger.refs(self._cycle_id)), len(ledger.remaining(self._cycle_id))
        if (done, left) != self._seen:
            self._seen, self._seen_at = (done, left), time.monotonic()
        self._tell(done, left)
        if self._staff.revived():
            self._send_again()
        silent_s = time.monotonic() - self._seen_at
        if not done and silent_s > _ASK_S and not self._asked:
            self._asked = True
            if self._staff.reinforced():
                self._progress(RunProgress(Phase.STARTING))
                self._seen_at = time.monotonic()
                self._send_again()
        if done and not left and silent_s > _FINISH_AGAIN_S:
            self._seen_at = time.monotonic()
            self._send_again()
        if silent_s > _PATIENCE_S and ledger.current() != self._cycle_id:
            succession.give_up(self._look, self._cycle_id, "no worker took the cycle")
            raise RemoteError(
                "no worker takes the cycle. Start them: celery -A workers.app worker -Q recon.control -c 1, "
                "and celery -A workers.app worker -Q recon.scan -P threads -c 6; or use recon run --inline",
                BrokerError.exit_code,
            )

    def _tell(self, done: int, left: int) -> None:
        """Say how far the cycle is, a few times a second."""
        now_s = time.monotonic()
        if now_s < self._board_next:
            return
        self._board_next = now_s + _BOARD_S
        if done or left:
            seen = self._look.board.read(self._cycle_id)
            self._progress(self._watch.so_far(seen, done, done + left, now_s))
        elif self._look.ledger.current() == self._cycle_id:
            self._progress(RunProgress(Phase.PLANNING))

    def _send_again(self) -> None:
        """Send out again whatever a lost worker or broker may have held."""
        ledger = self._look.ledger
        remaining = ledger.remaining(self._cycle_id)
        if not remaining and not ledger.refs(self._cycle_id):
            self._messages.send_begin(self._cycle_id, self._flags)
            return
        self._messages.send_again(self._cycle_id, remaining)

    def _revive_broker(self) -> None:
        if not self._staff.has_own_broker:
            raise BrokerError(
                "the broker went away during the cycle; the next cycle looks again at everything"
            )
        access.broker(self._chosen)
        self._send_again()
