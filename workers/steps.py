"""What each task does, over the wired ports: lock, ledger and errors around the steps of ``recon.cycle``."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache, partial
from typing import Any

from recon import access, cycle, wiring
from recon.errors import BrokerError, CycleLockedError, LedgerLostError, ReconError, StateError
from recon.maintenance import paused
from recon.masking import masker
from recon.model import Stage
from recon.plan import Judgement
from recon.settings import secrets_of
from workers.failures import failure_document
from workers.retrying import FIRST, may_pass, next_attempt, through_outages
from workers.shard_report import ShardReport

#: A holder of the final step that is silent for this long is taken for dead.
FINISH_LEASE_S = 30.0
#: A cycle that was opened this long ago, and whose shards were never noted as sent, lost its planner.
SEND_DEADLINE_S = 30.0
#: A cycle that is to begin, and does not, is sent out again after this long.
DUE_AGAIN_S = 60.0

#: The kinds of workers, as the ledger notes which took up a task last.
CONTROL_WORKER, SCAN_WORKER = "control", "scan"

_FORSAKEN = "failed: it was sent out twice, and no scan worker has reported it. Is one running?"

_log = logging.getLogger(__name__)
# Many threads ask at once: one of them makes it, the others wait.
_wiring = threading.Lock()
_loading = threading.Lock()


class PlannerLostError(ReconError):
    """Raised when the worker that planned a cycle died before its shards were known."""


@cache
def _wired() -> wiring.Engine:
    return wiring.engine(access.settings())


@cache
def _mask() -> Callable[[str], str]:
    return masker(secrets_of(engine().settings))


def engine() -> wiring.Engine:
    """Return this process' ports, made when the first task runs."""
    with _wiring:
        return _wired()


@lru_cache(maxsize=2)
def _loaded(cycle_id: str) -> Judgement:
    return cycle.load(engine().ports, cycle_id)


def _judgement(cycle_id: str) -> Judgement:
    with _loading:
        return _loaded(cycle_id)


def note_consumed(worker: str) -> None:
    """Note that a worker of this kind took up a task; where that cannot be noted, it works on."""
    with suppress(BrokerError):
        engine().ledger.note_consumed(worker, engine().ports.clock())


def slot_cycle(every_s: float) -> tuple[str, dict[str, Any]] | None:
    """Return the cycle of this interval and its flags, for the first caller in it; None for all others."""
    wired = engine()
    if is_paused():
        return None
    if not wired.ledger.take_slot(every_s):
        return None
    if wired.ledger.current() is not None:
        wired.ledger.record_overlap()
        overlap = CycleLockedError("the cycle before was still running when this one was due")
        cycle_id = access.new_cycle_id(wired.ports.clock())
        wired.aftermath.fail(cycle_id, failure_document(overlap), dry_run=_is_dry(cycle_id, {}))
        return None
    cycle_id = access.new_cycle_id(wired.ports.clock())
    wired.ledger.schedule(cycle_id, json.dumps(dict(FIRST)), DUE_AGAIN_S)  # should its message be lost
    return cycle_id, dict(FIRST)


def is_paused() -> bool:
    """Tell whether the engine is paused for maintenance."""
    found = paused(engine().ports.state, engine().ports.clock())
    if found is not None:
        _log.info("paused since %s: nothing is begun", found.since)
    return found is not None


def due_cycles() -> list[tuple[str, dict[str, Any]]]:
    """Return the cycles, with their flags, that are to begin now: their message was lost, or one failed."""
    if is_paused():
        return []
    return [(cycle_id, _flags(cycle_id)) for cycle_id in engine().ledger.due(DUE_AGAIN_S)]


def begin(cycle_id: str, flags: dict[str, Any]) -> list[str] | None:
    """Take the lock, freeze the plan, open the ledger; return the shards to send out.

    None when there is nothing to send: the cycle failed or was given up, or another delivery has sent them.
    """
    if engine().ports.state.get(f"cycles/{cycle_id}/error.json") is not None:
        return None
    ledger = engine().ledger
    with _reported(cycle_id, flags):
        ledger.acquire(cycle_id, json.dumps(flags))
        with ledger.hold(cycle_id):
            if ledger.stage(cycle_id) is Stage.PLANNING:
                shard_ids = [shard.id for shard in _planned(cycle_id, flags).scanned]
                through_outages(lambda: ledger.open(cycle_id, shard_ids, engine().ports.clock()))
        if ledger.stage(cycle_id) is not Stage.SCANNING:
            remaining = ledger.remaining(cycle_id)
            _log.info("cycle %s is planned: %d shards to look at", cycle_id, len(remaining))
            return remaining
    return None


def sent(cycle_id: str, shard_ids: list[str]) -> None:
    """Note that the shards of a begun cycle are on their way."""
    engine().ledger.dispatched(cycle_id, shard_ids)


def scan_shard(cycle_id: str, shard_id: str) -> bool:
    """Look at one shard and report it, whatever came of it; return whether it was the last.

    A shard that nobody waits for any longer is not looked at: it was delivered twice, or its cycle is over.
    """
    ledger = engine().ledger
    if not ledger.awaits(cycle_id, shard_id):
        return False
    note_consumed(SCAN_WORKER)
    with ledger.hold(cycle_id):
        ref = _sketch_of(cycle_id, shard_id)
        try:
            return through_outages(lambda: ledger.done(cycle_id, shard_id, ref)) == 0
        except LedgerLostError as error:
            _tell(cycle_id, error)
            return False


def finish(cycle_id: str) -> None:
    """Compare, publish and record under the cycle's fence, then what follows, once."""
    ledger = engine().ledger
    if ledger.stage(cycle_id) not in {Stage.SCANNED, Stage.OVERTAKEN}:
        return
    holder = secrets.token_hex(8)
    if not ledger.finish(cycle_id, holder, FINISH_LEASE_S):
        return
    with _reported(cycle_id):
        fence = ledger.acquire(cycle_id)
        with ledger.hold(cycle_id, holder, FINISH_LEASE_S):
            ending = through_outages(partial(_conclude, cycle_id, fence))
            engine().aftermath.keep(ending.report, ending.gaps)
        with ledger.following(cycle_id):
            ledger.finished(cycle_id)
            engine().aftermath.follow(ending.report)
        _log.info("cycle %s has finished", cycle_id)
    _loaded.cache_clear()


def stuck() -> list[tuple[str, list[str]]]:
    """Return the cycles that must be helped on, with the shards to send again; with none, their final step.

    Closes those that cannot go on: overtaken by a newer one, or never opened by a planner that died.
    """
    ledger = engine().ledger
    found: list[tuple[str, list[str]]] = []
    for cycle_id in ledger.open_cycles():
        match ledger.stage(cycle_id):
            case Stage.SCANNING if _given_up(cycle_id):
                found.append((cycle_id, []))
            case Stage.SCANNING:
                found.extend(_late(cycle_id, wiring.SHARD_DEADLINE_S))
            case Stage.UNSENT:
                found.extend(_late(cycle_id, SEND_DEADLINE_S))
            case Stage.SCANNED:
                found.append((cycle_id, []))
            case Stage.LOST:
                _lose(cycle_id)
            case Stage.OVERTAKEN:
                with _reported(cycle_id):
                    ledger.acquire(cycle_id)  # refused, in the words that say why
            case Stage.PLANNING | Stage.GONE | Stage.FINISHED:
                pass
    return found


def _late(cycle_id: str, deadline_s: float) -> Iterator[tuple[str, list[str]]]:
    ledger = engine().ledger
    late = ledger.overdue(cycle_id, deadline_s)
    if late:
        ledger.dispatched(cycle_id, late)
        yield cycle_id, late


def _given_up(cycle_id: str) -> bool:
    """Give up the shards that no worker reports; return whether the cycle can end: their keys are unknown."""
    ledger, remain = engine().ledger, -1
    for shard_id in ledger.forsaken(cycle_id, wiring.SHARD_DEADLINE_S):
        remain = ledger.done(cycle_id, shard_id, _FORSAKEN)
        _log.warning("shard %s of cycle %s is given up: %s", shard_id, cycle_id, _FORSAKEN)
    return remain == 0


def _lose(cycle_id: str) -> None:
    with _reported(cycle_id):
        raise PlannerLostError(
            f"the worker that planned cycle {cycle_id} died, and nothing was published. See the workers' log "
            "for the reason, then run again.",
        )


def _planned(cycle_id: str, flags: dict[str, Any]) -> Judgement:
    """Return the cycle's plan: the one that is there, whose shards may have been scanned, else a new one."""
    wired = engine()
    if wired.ports.state.get(f"cycles/{cycle_id}/plan.json") is not None:
        return _judgement(cycle_id)
    started = time.monotonic()
    judged = wiring.planned(wired, cycle_id, flags)
    for notice in judged.told:
        # What comes of this run, and not of a line of the files: those are told by every report.
        if not notice.where:
            _log.warning("cycle %s: %s", cycle_id, notice.message)
    _note(cycle_id, "plan", time.monotonic() - started)
    return judged


def _sketch_of(cycle_id: str, shard_id: str) -> str:
    """Look at one shard; return the name of its sketch, or why there is none: its keys are then unknown."""
    try:
        wired, judged = engine(), _judgement(cycle_id)
        shard = next(shard for shard in judged.scanned if shard.id == shard_id)
        with ShardReport(wired.board, cycle_id, shard) as report:
            return cycle.scan_shard(wiring.counted(wired.ports, report.add), judged, shard)
    except Exception as error:  # noqa: BLE001 - whatever it was, the cycle must come to its end
        _log.warning("shard %s of cycle %s has no result", shard_id, cycle_id, exc_info=True)
        return _mask()(f"failed: {error}")


def _conclude(cycle_id: str, fence: int) -> cycle.Ending:
    wired = engine()
    ending = cycle.conclude(wired.ports, _judgement(cycle_id), fence, _noted(cycle_id))
    for line in ending.told:
        _log.warning("cycle %s: %s", cycle_id, line)
    wired.ports.state.delete(f"cycles/{cycle_id}/error.json")  # of an attempt that found no Redis
    return ending


@contextmanager
def _reported(cycle_id: str, flags: dict[str, Any] | None = None) -> Iterator[None]:
    """End a cycle that fails: note the next attempt where there is one, give the lock back, then tell why.

    The error goes into the state, where whoever waits for the cycle finds it. While Redis is away, nothing
    can be noted there: the cycle stays open, and the watchdog takes it up again.
    """
    try:
        yield
    except Exception as error:
        try:
            through_outages(partial(_close, cycle_id, flags, error))
        except BrokerError as silent:
            _log.warning("cycle %s failed, and stays open: %s", cycle_id, silent)
        _tell(cycle_id, error, flags)
        if not isinstance(error, ReconError):
            raise


def _close(cycle_id: str, flags: dict[str, Any] | None, error: Exception) -> None:
    ledger, most = engine().ledger, engine().settings.loop.max_retries
    at_once = bool(getattr(error, "at_once", False))
    told = _flags(cycle_id) if flags is None else flags
    again = next_attempt(cycle_id, told, most, at_once=at_once)
    if again is not None and may_pass(error):
        ledger.schedule(again.cycle_id, json.dumps(again.flags), again.wait_s)
        _log.warning(
            "cycle %s failed: %s. Attempt %d of %d follows in about %.0f s, as cycle %s",
            *(cycle_id, error, again.flags["attempt"], most, again.wait_s, again.cycle_id),
        )
    ledger.finished(cycle_id)


def _flags(cycle_id: str) -> dict[str, Any]:
    return dict(json.loads(engine().ledger.flags(cycle_id) or "{}"))


def _tell(cycle_id: str, error: Exception, flags: dict[str, Any] | None = None) -> None:
    state = engine().ports.state
    document = failure_document(error)
    try:
        if state.get(f"cycles/{cycle_id}/report.json") is None:  # else it ended well, and was delivered again
            # First: whoever waits for the error ends this worker when it is there.
            engine().aftermath.fail(cycle_id, document, dry_run=_is_dry(cycle_id, flags))
            state.put(f"cycles/{cycle_id}/error.json", json.dumps(document).encode())
    except StateError as silent:
        _log.warning("cycle %s failed (%s), which could not be noted: %s", cycle_id, error, silent)


def _is_dry(cycle_id: str, flags: dict[str, Any] | None) -> bool:
    told: dict[str, Any] = flags or {}
    if flags is None:
        with suppress(BrokerError):
            told = _flags(cycle_id)
    return bool(told.get("dry_run", engine().settings.dry_run.enabled))


def _note(cycle_id: str, step: str, spent_s: float) -> None:
    noted = {**_noted(cycle_id), step: spent_s, "planned_at": time.time()}
    engine().ports.state.put(f"cycles/{cycle_id}/timings.json", json.dumps(noted).encode())


def _noted(cycle_id: str) -> dict[str, float]:
    with suppress(StateError):
        content = engine().ports.state.get(f"cycles/{cycle_id}/timings.json")
        return dict(json.loads(content)) if content else {}
    return {}
