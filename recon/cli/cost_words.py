"""Where a cycle's observation comes from, how old it is, and what looking costs: in words."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

_HOUR_S = 3600.0
_CENT = 0.01


def source_words(document: dict[str, Any]) -> str:
    """Return where the objects of a cycle's report come from: ``listed live``, or ``from the … of …``."""
    observed = document["observed"]
    match observed["source"]:
        case "aws_inventory":
            again = observed.get("looked_again", 0)
            looked = f", {again:,} keys looked at again" if again else ""
            return f"from the AWS S3 Inventory report of {_aged(document)}{looked}"
        case "cache":
            return f"from the observation of {_aged(document)}, kept by an earlier cycle"
        case "sample":
            return "of a sample listed live"
        case _:
            return "listed live"


def spent_words(observed: dict[str, Any]) -> str:
    """Return what a cycle has asked: requests by kind, and what they cost."""
    words = _requests(observed.get("requests_by_kind", {}))
    usd = observed["estimated_cost_usd"]
    monthly = observed.get("estimated_monthly_usd")
    if not usd:
        return words
    return f"{words}, {dollars(usd)}" + (f" ({dollars(monthly)} a month)" if monthly else "")


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """Return what a cycle was to cost, both ways, one a line; nothing where nothing costs or is known."""
    ways = {name: cost.get(name) for name in ("listing", "report")}
    if not any(way and way["usd"] for way in ways.values()):
        return []
    every = _every(cost["interval_s"])
    known = {name: way for name, way in ways.items() if way is not None}
    return [f"cost, {every}: {_NAMES[name]} {_way(way)}" for name, way in known.items()]


def dollars(usd: float) -> str:
    """Return an amount: in cents from one cent on, below that with the three digits that count."""
    if usd >= _CENT or not usd:
        return f"{usd:,.2f} USD"
    return f"{usd:.{2 - math.floor(math.log10(usd))}f}".rstrip("0") + " USD"


_NAMES = {"listing": "a listing in full takes", "report": "an AWS S3 Inventory report takes"}


def _way(way: dict[str, Any]) -> str:
    words = (
        f"{_requests(way['requests_by_kind'])}: {dollars(way['usd'])}, {dollars(way['monthly_usd'])} a month"
    )
    if "files" not in way:
        return words
    assumed = "" if way["files_known"] else f" ({way['files']} data files assumed)"
    most = way["look_again_max"]["requests"]
    again = f", and at most {most:,} requests to look again at what it cannot tell" if most else ""
    return f"{words}{assumed}, {dollars(way['delivery_monthly_usd'])} a month to AWS for writing it{again}"


def _requests(kinds: dict[str, int]) -> str:
    told = [f"{count:,} {kind.upper()}" for kind, count in kinds.items() if count]
    return " and ".join(told) or "none"


def _every(interval_s: float) -> str:
    if interval_s >= _HOUR_S:
        return f"a cycle every {interval_s / _HOUR_S:g} h"
    return f"a cycle every {interval_s / 60:g} min"


def _aged(document: dict[str, Any]) -> str:
    as_of = datetime.fromisoformat(document["observed"]["as_of"])
    hours = (datetime.fromisoformat(document["started_at"]) - as_of).total_seconds() / _HOUR_S
    age = f"{hours:.0f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    return f"{as_of:%Y-%m-%d %H:%M} UTC ({age} old)"
