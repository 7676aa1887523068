"""What each task does, over the wired ports: lock, ledger and errors around the steps of ``recon.cycle``."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from recon import access, cycle, wiring
from recon.errors import CycleFencedError, CycleLockedError, ReconError, StateError
from recon.plan import Judgement
from recon.ports import Ledger
from workers.shard_report import ShardReport

#: A holder of the final step that is silent for this long is taken for dead.
FINISH_LEASE_S = 30.0

# Many threads ask at once: one of them makes it, the others wait.
_wiring = threading.Lock()
_loading = threading.Lock()


@cache
def _wired() -> wiring.Engine:
    return wiring.engine(access.settings())


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


def slot_cycle(every_s: float) -> str | None:
    """Return the id of the cycle of this interval, for the first caller in it; None for all others."""
    wired = engine()
    if not wired.ledger.take_slot(int(time.time() // every_s)):
        return None
    if wired.ledger.current() is not None:
        wired.ledger.record_overlap()
        return None
    return access.new_cycle_id(wired.ports.clock())


def begin(cycle_id: str, flags: dict[str, Any]) -> list[str]:
    """Take the lock, freeze the plan, open the ledger; return the shards to look at."""
    wired = engine()
    shard_ids: list[str] = []
    if wired.ports.state.get(f"cycles/{cycle_id}/error.json") is not None:
        return []  # given up before anybody began it
    with _reported(cycle_id):
        wired.ledger.acquire(cycle_id)
        with wired.ledger.hold(cycle_id):
            started = time.monotonic()
            judged = wiring.planned(wired, cycle_id, flags)
            _note(cycle_id, "plan", time.monotonic() - started)
        shard_ids.extend(shard.id for shard in judged.scanned)
        wired.ledger.open(cycle_id, shard_ids, wired.ports.clock())
    return shard_ids


def scan_shard(cycle_id: str, shard_id: str) -> int:
    """Look at one shard and report it, whatever came of it; return how many remain.

    A message may arrive again, or for a cycle that was given up: then nothing is looked at.
    """
    wired = engine()
    if _is_settled(wired.ledger, cycle_id, shard_id):
        return len(wired.ledger.remaining(cycle_id))
    return wired.ledger.done(cycle_id, shard_id, _sketch_of(cycle_id, shard_id))


def _sketch_of(cycle_id: str, shard_id: str) -> str:
    wired = engine()
    judged = _judgement(cycle_id)
    shard = next(shard for shard in judged.scanned if shard.id == shard_id)
    with ShardReport(wired.board, cycle_id, shard) as report:
        return cycle.scan_shard(wiring.counted(wired.ports, report.add), judged, shard)


def _is_settled(ledger: Ledger, cycle_id: str, shard_id: str) -> bool:
    """Tell whether a shard has reported, or nobody waits for it any longer."""
    if shard_id in ledger.refs(cycle_id):
        return True
    return bool(ledger.remaining(cycle_id)) and cycle_id not in ledger.open_cycles()


def finish(cycle_id: str) -> None:
    """Compare, publish and record under the cycle's fence; a second caller does nothing."""
    wired = engine()
    if wired.ledger.remaining(cycle_id):
        return
    if not wired.ledger.finish(cycle_id, secrets.token_hex(8), FINISH_LEASE_S):
        return
    with _reported(cycle_id):
        fence = wired.ledger.acquire(cycle_id)
        with wired.ledger.hold(cycle_id):
            cycle.conclude(wired.ports, _judgement(cycle_id), fence, _noted(cycle_id))
        wired.ledger.finished(cycle_id)
        wired.ledger.release(cycle_id)
    _loaded.cache_clear()


def stuck() -> list[tuple[str, list[str]]]:
    """Return open cycles with their shards past the deadline; none of them when all have reported."""
    wired = engine()
    found = []
    for cycle_id in wired.ledger.open_cycles():
        late = wired.ledger.overdue(cycle_id, wiring.SHARD_DEADLINE_S)
        if late:
            wired.ledger.dispatched(cycle_id, late)
            found.append((cycle_id, late))
        elif not wired.ledger.remaining(cycle_id):
            found.append((cycle_id, []))
    return found


@contextmanager
def _reported(cycle_id: str) -> Iterator[None]:
    """Put an error into the state, where whoever waits for the cycle finds it, and give the lock back."""
    wired = engine()
    try:
        yield
    except (CycleFencedError, CycleLockedError) as error:
        _fail(cycle_id, error)
    except ReconError as error:
        _fail(cycle_id, error)
        wired.ledger.finished(cycle_id)
        wired.ledger.release(cycle_id)


def _fail(cycle_id: str, error: ReconError) -> None:
    document = {"message": str(error), "exit_code": error.exit_code, "kind": type(error).__name__}
    engine().ports.state.put(f"cycles/{cycle_id}/error.json", json.dumps(document).encode())


def _note(cycle_id: str, step: str, spent_s: float) -> None:
    noted = {**_noted(cycle_id), step: spent_s, "planned_at": time.time()}
    engine().ports.state.put(f"cycles/{cycle_id}/timings.json", json.dumps(noted).encode())


def _noted(cycle_id: str) -> dict[str, float]:
    try:
        content = engine().ports.state.get(f"cycles/{cycle_id}/timings.json")
    except StateError:
        return {}
    return dict(json.loads(content)) if content else {}
