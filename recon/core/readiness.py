"""Readiness: whether the engine makes progress, check by check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recon.core.conditions import ConditionName, Limits, conditions, late_after_s, listed, silence_s
from recon.core.durations import duration_words
from recon.core.engine_standing import Standing


@dataclass(frozen=True, slots=True)
class ReadyCheck:
    """One check: whether it holds, and what was found, in words."""

    name: str
    ok: bool
    found: str


def readiness(standing: Standing, limits: Limits) -> list[ReadyCheck]:
    """Return the checks; the engine is ready when all of them hold."""
    return [
        *_servers(standing),
        _state(standing),
        _consumed(standing, limits),
        _cycle(standing, limits),
        _lake(standing, limits),
        _shards(standing),
        _brake(standing),
    ]


def _servers(standing: Standing) -> Iterator[ReadyCheck]:
    for name, server in standing.servers.items():
        wrong = standing.unreachable.get(name)
        yield ReadyCheck(name, wrong is None, wrong or "; ".join(server.warned) or "answers")


def _state(standing: Standing) -> ReadyCheck:
    wrong = standing.state_unreadable
    return ReadyCheck("state", wrong is None, wrong or "can be read")


def _consumed(standing: Standing, limits: Limits) -> ReadyCheck:
    """Tell whether the control worker takes up tasks, or a cycle goes on: only the living renew its lock."""
    name, silent_s = "last consumed", silence_s(standing)
    if "ledger" in standing.unknown:
        return ReadyCheck(name, ok=False, found=f"unknown: {standing.unknown['ledger']}")
    if standing.running is not None:
        return ReadyCheck(name, ok=True, found=f"cycle {standing.running.cycle_id} is at work")
    if silent_s is None:
        return ReadyCheck(name, ok=False, found="no worker of recon.control has ever taken up a task")
    words = f"a worker of recon.control took up a task {duration_words(silent_s)} ago"
    return ReadyCheck(name, silent_s <= limits.silent_s, words)


def _cycle(standing: Standing, limits: Limits) -> ReadyCheck:
    name, age_s, after_s = "last cycle", standing.finished_age_s, late_after_s(standing, limits)
    failed = standing.failed_since
    if age_s is None:
        words = f"cycle {failed.cycle_id} failed: {failed.message}" if failed else "no cycle has finished yet"
        return ReadyCheck(name, ok=False, found=words)
    words = f"finished {duration_words(age_s)} ago"
    return ReadyCheck(name, after_s is None or age_s <= after_s, words)


def _lake(standing: Standing, limits: Limits) -> ReadyCheck:
    found = [one for one in conditions(standing, limits) if one.name is ConditionName.LAKE_UNREACHABLE]
    if found:
        return ReadyCheck("lake", ok=False, found=found[0].words)
    seen = standing.report is not None
    words = "the last cycle saw it" if seen else "no cycle has looked at it yet"
    return ReadyCheck("lake", seen, words)


def _shards(standing: Standing) -> ReadyCheck:
    failed, planned = standing.failed_shards
    return ReadyCheck("shards", not failed, f"{failed:,} of {planned:,} failed in the last cycle")


def _brake(standing: Standing) -> ReadyCheck:
    scopes = tuple(one.scope.text for one in standing.holds)
    return ReadyCheck("brake", not scopes, f"holds {listed(scopes)}" if scopes else "holds nothing")
