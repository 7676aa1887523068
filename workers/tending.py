"""What is done between cycles: claims are settled, queues topped up, a cycle begun when they run dry."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import lru_cache
from typing import Any

from recon import access, cycle, findings, last_cycle, wiring
from recon.claim_books import load_claims
from recon.comparison import Comparison
from recon.errors import CycleFencedError, StateError
from recon.model import TaskState
from recon.ports import StateStore
from recon.settlement import Settled, settle
from workers import steps
from workers.retrying import FIRST

_log = logging.getLogger(__name__)


def tend() -> Settled | None:
    """Settle what scrapers claim now, then see to it that they have work; None where another is at it.

    None too where the engine is paused: a lake under maintenance bears nobody out.
    """
    if steps.is_paused():
        return None
    wired = steps.engine()
    ports, options = wired.ports, wiring.options(wired.settings, {})
    done = settle(cycle.settling(ports, options))
    if done is None:
        return None
    for reason in done.failures:
        _log.warning("a claim could not be looked at, and is looked at again: %s", reason)
    for scraper in done.paused:
        _log.warning("scraper %s is paused: %s", scraper, load_claims(ports.state).scrapers[scraper].reason)
    try:
        report = _report(*_finished(ports.state))
    except StateError:
        return done  # no cycle has finished yet
    if report["dry_run"]:
        return done
    states = done.left
    if _is_waiting(report) and done.changed:
        _refill(wired)
        states = frozenset(task.state for task in ports.queue.outstanding(options.lake))
    if states <= {TaskState.CLAIMED}:
        _begin_early(wired, report, is_awaited=bool(states))
    return done


def _is_waiting(report: dict[str, Any]) -> bool:
    tasks = report["tasks"]
    return bool(tasks["deferred"] or tasks["unproven"])


def _refill(wired: wiring.Engine) -> None:
    cycle_id, fence = _finished(wired.ports.state)
    try:
        counts = cycle.refill(wired.ports, _findings(cycle_id, fence), fence)
    except CycleFencedError:
        return  # a newer cycle has begun: it publishes what it sees
    if counts.published:
        _log.info("%d tasks published that had waited for room; %d wait", counts.published, counts.deferred)


def _finished(state: StateStore) -> tuple[str, int]:
    """Return the last finished cycle and its fence: a successor that finishes it anew has another."""
    return last_cycle.latest(state), last_cycle.latest_fence(state)


@lru_cache(maxsize=1)
def _report(cycle_id: str, fence: int) -> dict[str, Any]:  # noqa: ARG001 - the fence tells two apart
    return last_cycle.report(steps.engine().ports.state, cycle_id)


@lru_cache(maxsize=1)
def _findings(cycle_id: str, fence: int) -> Comparison:
    """Return the last cycle's findings; the next cycle's are others."""
    _log.debug("the findings of cycle %s (fence %d) are made again", cycle_id, fence)
    return findings.last_findings(steps.engine().ports.state)


def _begin_early(wired: wiring.Engine, report: dict[str, Any], *, is_awaited: bool) -> None:
    """Have a cycle begin, where something came of what was taken, and the last one is old enough.

    ``is_awaited`` tells of claims that only a look at everything can judge.
    """
    now = wired.ports.clock()
    finished_at = datetime.fromisoformat(report["finished_at"])
    if (now - finished_at).total_seconds() < wired.settings.loop.min_interval_s:
        return
    as_of = datetime.fromisoformat(report["observed"]["as_of"])
    came_of_it = is_awaited or bool(load_claims(wired.ports.state).filled_since(as_of))
    if not came_of_it or wired.ledger.current() is not None:
        return
    wired.ledger.schedule(access.new_cycle_id(now), json.dumps(dict(FIRST)), 0.0)
    _log.info("the queues have run dry: a cycle begins early")
