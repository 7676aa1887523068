"""What the next cycle will cost, both ways, as far as earlier cycles and its own plan tell."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from recon.core.cost import PAGE_KEYS, Forecast, Requests, by_listing
from recon.core.shards import hints_inside
from recon.errors import StateError
from recon.last_cycle import latest, report
from recon.memory import Hints
from recon.model import KeyRange
from recon.plan import Judgement, Options
from recon.ports import StateStore
from recon.sharding import scope


def forecast(state: StateStore, judged: Judgement) -> Forecast:
    """Return what is known before a planned cycle looks at the lake; it makes no request to the lake."""
    plan = judged.plan
    prefixes = scope(judged)
    hints = Hints.load(state, plan.options.lake)
    inside = sum(hints_inside(KeyRange(prefix), hints.boundaries) for prefix in prefixes)
    counted = _last_seen(state, plan.options)
    objects = inside * hints.apart if counted is None and inside else counted
    listing = None
    if inside:
        # Ranges are cut at the hints, and each one, the last of a prefix too, ends in a page of its own.
        listing = Requests(lists=inside * hints.apart // PAGE_KEYS + len(prefixes))
    elif objects is not None:
        listing = by_listing(objects, len(prefixes))
    files = None if plan.report is None else len(plan.report.manifest.files)
    return Forecast(objects, listing, files, plan.options.confirm_requests_max)


def cost_document(state: StateStore, judged: Judgement) -> dict[str, Any]:
    """Return what a planned cycle will cost, both ways, before it looks at the lake."""
    options = judged.plan.options
    return forecast(state, judged).document(options.prices, options.interval_s)


def _last_seen(state: StateStore, options: Options) -> int | None:
    """Return how many objects the last finished cycle saw of this lake; None where there is none to ask."""
    with suppress(StateError, KeyError, TypeError):
        last: Any = report(state, latest(state))
        if last["lake"] == options.lake and last["observed"]["source"] != "sample":
            return int(last["observed"]["objects"])
    return None
