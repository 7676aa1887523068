"""Drive one cycle through Celery and wait for its report: starts workers where the broker is embedded."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from recon import cycle, wiring
from recon.errors import BrokerError, ReconError

#: Threads of the scan worker: they wait on the network most of the time.
SCAN_THREADS = 16
_POLL_S = 0.02
#: Without a sign of life from a worker after this long, nobody consumes the queue.
_PATIENCE_S = 60.0
_STOP_S = 15.0

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
    log = wiring.state_folder(wired.settings) / "workers.log" if wired.settings.broker is None else None
    with _no_workers() if log is None else _workers(environment, log) as alive:
        from workers.app import app  # noqa: PLC0415 - Celery takes 0.3 s to import, workers start meanwhile
        from workers.tasks import begin  # noqa: PLC0415 - as above

        cycle_id = wiring.new_cycle_id(wired.ports.clock())
        begin.apply_async((cycle_id, dict(flags)), task_id=f"{cycle_id}:begin")
        try:
            return _awaited(wired, cycle_id, alive, progress)
        finally:
            app.close()


def _awaited(
    wired: wiring.Engine, cycle_id: str, alive: Callable[[], bool], progress: Progress
) -> dict[str, Any]:
    silent_since = time.monotonic()
    before = (0, 0)
    while True:
        state = wired.ports.state
        content = state.get(f"cycles/{cycle_id}/report.json")
        if content is not None:
            return dict(json.loads(content))
        failure = state.get(f"cycles/{cycle_id}/error.json")
        if failure is not None:
            document = json.loads(failure)
            raise RemoteError(document["message"], int(document["exit_code"]))
        with suppress(BrokerError):
            done, left = len(wired.ledger.refs(cycle_id)), len(wired.ledger.remaining(cycle_id))
            if (done, done + left) != before:
                before, silent_since = (done, done + left), time.monotonic()
                progress(*before)
        if not alive():
            raise BrokerError(
                "a worker stopped by itself; see workers.log in the state folder, or try recon run --inline"
            )
        if time.monotonic() - silent_since > _PATIENCE_S and wired.ledger.current() != cycle_id:
            raise BrokerError(
                "no worker takes the cycle. Start them: celery -A workers.app worker -Q recon.control -c 1, "
                "and celery -A workers.app worker -Q recon.scan -P threads -c 16; or use recon run --inline",
            )
        time.sleep(_POLL_S)


@contextmanager
def _workers(environment: Mapping[str, str], log: Path) -> Iterator[Callable[[], bool]]:
    celery = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-l", "WARNING"]
    celery += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    roles = [
        ["-Q", "recon.control", "-P", "prefork", "-c", "1", "-n", "control@%h"],
        ["-Q", "recon.scan", "-P", "threads", "-c", str(SCAN_THREADS), "-n", "scan@%h"],
    ]
    with log.open("ab") as output:
        children = [
            subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*celery, *role],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            for role in roles
        ]
    try:
        yield lambda: all(child.poll() is None for child in children)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def _no_workers() -> Iterator[Callable[[], bool]]:
    yield lambda: True


def run_inline(wired: wiring.Engine, flags: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run one cycle in this process, with no broker's workers; return its report."""
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
