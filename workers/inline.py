"""Drive one cycle in this process, with no workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from recon import access, cycle, wiring
from recon.adapters import logs
from recon.core.progress import Phase, Progress, RunProgress, ScanWatch
from recon.model import ShardProgress
from recon.plan import Judgement
from recon.ports import StateStore
from recon.settings import Settings
from workers.failures import failure_document
from workers.retrying import run_attempts
from workers.shard_report import ShardReport
from workers.succession import CREW_ENDS_S, succeed


def run_inline(
    chosen: Settings,
    flags: Mapping[str, Any],
    progress: Progress,
    say: Callable[[str], None],
    planned: Callable[[StateStore, Judgement], None] = lambda _state, _judged: None,
) -> dict[str, Any]:
    """Run one cycle in this process; return its report.

    A cycle that fails is tried again, as a new one, up to ``reconciliation_loop.max_retries`` times.

    The arguments are those of ``driver.run_cycle``, and what is told each plan before anything is looked at.
    A ``ReconError`` says what stopped the cycle.
    """
    if access.sample_is_wanted(chosen):
        progress(RunProgress(Phase.SAMPLE))
        access.make_sample(chosen)
    with _at_work(chosen) as wired:
        return run_attempts(lambda: _cycle(wired, flags, progress, planned), chosen.loop.max_retries, say)


@contextmanager
def _at_work(chosen: Settings) -> Iterator[wiring.Engine]:
    """Yield the engine; over an embedded broker, after freeing what killed runs left behind."""
    if chosen.broker is not None:
        yield wiring.engine(chosen)
        return
    attendance = access.attendance(chosen)
    try:
        alone = attendance.alone(CREW_ENDS_S)
        wired = wiring.engine(chosen)
        if alone:
            succeed(access.Lookout(wired.ports.state, wired.ledger, wired.board))
        attendance.join()
        yield wired
    finally:
        attendance.leave()


def _cycle(
    wired: wiring.Engine,
    flags: Mapping[str, Any],
    progress: Progress,
    planned: Callable[[StateStore, Judgement], None],
) -> dict[str, Any]:
    cycle_id = access.new_cycle_id(wired.ports.clock())
    try:
        with logs.within(cycle_id=cycle_id):
            ending = _ended(wired, cycle_id, flags, progress, planned)
    except BaseException as error:
        dry_run = bool(flags.get("dry_run", wired.settings.dry_run.enabled))
        wired.aftermath.fail(cycle_id, failure_document(error), dry_run=dry_run)
        raise
    wired.aftermath.follow(ending.report)
    return ending.report


def _ended(
    wired: wiring.Engine,
    cycle_id: str,
    flags: Mapping[str, Any],
    progress: Progress,
    planned: Callable[[StateStore, Judgement], None],
) -> cycle.Ending:
    fence = wired.ledger.acquire(cycle_id)
    try:
        with wired.ledger.hold(cycle_id):
            progress(RunProgress(Phase.PLANNING))
            started = time.monotonic()
            judged = wiring.planned(wired, cycle_id, flags)
            spent_s = {"plan": time.monotonic() - started, "planned_at": time.time()}
            planned(wired.ports.state, judged)
            board = _OwnBoard(len(judged.scanned), progress)
            for shard in judged.scanned:
                with logs.within(shard_id=shard.id), ShardReport(board, cycle_id, shard) as report:
                    cycle.scan_shard(wiring.counted(wired.ports, report.add), judged, shard)
            progress(RunProgress(Phase.CONCLUDING, len(judged.scanned), len(judged.scanned)))
            ending = cycle.conclude(wired.ports, judged, fence, spent_s)
            wired.aftermath.keep(ending.report, ending.gaps)
            return ending
    finally:
        wired.ledger.release(cycle_id)


class _OwnBoard:
    """A ``ProgressBoard`` that tells its one reader at once."""

    def __init__(self, planned: int, progress: Progress) -> None:
        self._planned = planned
        self._progress = progress
        self._seen: dict[str, ShardProgress] = {}
        self._watch = ScanWatch()

    def put(self, cycle_id: str, shard_id: str, progress: ShardProgress) -> None:
        """Say how far a shard is."""
        self._seen[shard_id] = progress
        done = sum(said.ended for said in self.read(cycle_id).values())
        self._progress(self._watch.so_far(self._seen, done, self._planned, time.monotonic()))

    def read(self, cycle_id: str) -> dict[str, ShardProgress]:
        """Return what every shard said last."""
        del cycle_id
        return dict(self._seen)
