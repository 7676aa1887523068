"""The last complete observation, kept for cycles that do not look at everything again.

State name: ``kept.json``. Its cycle's plan and sketches stay until a later one is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from recon import plan as plans
from recon.comparison import Comparison
from recon.errors import StateError, TooManyRequestsError
from recon.memory import Hints
from recon.model import Notice
from recon.plan import KeptLook, Options
from recon.ports import StateStore

_NAME = "kept.json"
_KEYS_PER_LIST = 1000


@dataclass(frozen=True, slots=True)
class Reuse:
    """The observation to use instead of a look at everything, if any, and what a person should know of it."""

    kept: KeptLook | None = None
    notices: tuple[Notice, ...] = ()


def keep(state: StateStore, found: Comparison) -> None:
    """Keep a cycle's observation where it is a complete one of its own: no dry run, no selection."""
    plan = found.judged.plan
    if found.complete and plan.kept is None and not plan.options.dry_run and not plan.options.select:
        document = {"cycle_id": plan.cycle_id, "as_of": plan.as_of.isoformat()}
        state.put(_NAME, json.dumps(document).encode())


def kept_cycles(state: StateStore) -> set[str]:
    """Return the cycles whose plans and sketches must stay."""
    found = _kept(state)
    return set() if found is None else {found[0]}


def asked_for(state: StateStore, options: Options, now: datetime) -> Reuse:
    """Return what ``--use-cache`` comes to: the kept observation, unless it is too old."""
    if not options.use_cache:
        return Reuse()
    found = _usable(state, options)
    if found is None:
        return _told("--use-cache: no complete observation is kept, so the lake is looked at")
    cycle_id, as_of = found
    age, most = now - as_of, timedelta(seconds=options.cache_ttl_s)
    if age > most:
        return _told(
            f"--use-cache: what is kept is {_hours(age)} old, over s3.cache_ttl_hours ({_hours(most)}), so "
            "the lake is looked at"
        )
    told = f"--use-cache: nothing was looked at; all is as of {_instant(as_of)}, {_hours(age)} ago"
    return _told(told, KeptLook(cycle_id, as_of, live=False))


def instead_of_listing(state: StateStore, options: Options, hints: Hints, now: datetime) -> Reuse:
    """Return what stands in for a full listing that is not due yet, or costs more than it may.

    Raises:
        TooManyRequestsError: It costs more than it may, and nothing is kept.
    """
    found = _usable(state, options)
    if found is not None and options.full_scan_every_s is not None:
        cycle_id, as_of = found
        if now - as_of < timedelta(seconds=options.full_scan_every_s):
            told = f"s3.full_scan_every: what was not looked at again is as of {_instant(as_of)}"
            return _told(told, KeptLook(cycle_id, as_of, live=True))
    most = options.requests_max
    wanted = len(hints.boundaries) * hints.apart // _KEYS_PER_LIST
    if most is None or wanted <= most:
        return Reuse()
    over = f"a full listing takes about {wanted:,} requests, over s3.max_requests_per_cycle ({most:,})"
    if found is None:
        raise TooManyRequestsError(
            f"{over}, and no complete observation is kept. Raise it, or set s3.use_aws_inventory"
        )
    cycle_id, as_of = found
    told = f"{over}: the lake was not listed, and what was not looked at again is as of {_instant(as_of)}"
    return _told(told, KeptLook(cycle_id, as_of, live=True))


def _told(message: str, kept: KeptLook | None = None) -> Reuse:
    return Reuse(kept, (Notice(message),))


def _usable(state: StateStore, options: Options) -> tuple[str, datetime] | None:
    """Return the kept cycle and its as-of where it looked at all that this one is to judge."""
    found = _kept(state)
    if found is None:
        return None
    try:
        before = plans.load(state, found[0]).plan.options
    except StateError:
        return None
    same = (before.lake, before.scope, before.own) == (options.lake, options.scope, options.own)
    return found if same else None


def _kept(state: StateStore) -> tuple[str, datetime] | None:
    try:
        document = json.loads(state.get(_NAME) or b"{}")
        return str(document["cycle_id"]), datetime.fromisoformat(document["as_of"])
    except (ValueError, KeyError, TypeError):
        return None


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"
