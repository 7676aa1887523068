"""The report of one cycle: the object that ``recon run --json`` prints (schema ``recon.cycle/1``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from recon.brake_record import held_document
from recon.comparison import Comparison
from recon.core.cost import Requests, monthly_usd
from recon.core.gap_ages import AGES, age_name
from recon.core.gaps import Gap
from recon.core.sketch import ShardFacts
from recon.model import Kind, Priority, PublishCounts, Source, Verdict
from recon.plan import Judgement


def report_document(
    judged: Judgement,
    found: Comparison,
    counts: PublishCounts,
    finished_at: datetime,
    timings_s: Mapping[str, float],
) -> dict[str, Any]:
    """Return the cycle's report; its totals add up: verdicts sum to the exact keys."""
    plan = judged.plan
    exact = sum(sum(len(bits) for bits in verdicts.values()) for verdicts in found.verdicts.values())
    return {
        "schema": "recon.cycle/1",
        "cycle_id": plan.cycle_id,
        "started_at": _iso(plan.started_at),
        "finished_at": _iso(finished_at),
        "duration_s": round((finished_at - plan.started_at).total_seconds(), 3),
        "dry_run": plan.options.dry_run,
        "lake": plan.options.lake,
        "observed": _observed(judged, found),
        "expected": {
            "exact_keys": exact,
            "counted": sum(row.expected for row in found.rows if row.kind is Kind.COUNTED),
        },
        "verdicts": {
            verdict.value: sum(len(verdicts[verdict]) for verdicts in found.verdicts.values())
            for verdict in Verdict
        },
        "unexpected": sum(result.facts.unexpected for result in found.sketch.shards.values()),
        "coverage": [row.document() for row in found.rows],
        "gaps": _gaps(found, finished_at),
        "tasks": {
            item.name: getattr(counts, item.name)
            for item in fields(PublishCounts)
            if item.name not in {"revised", "repaired"}
        },
        "timings_s": {name: round(spent, 3) for name, spent in timings_s.items()},
        "brake": {
            "held": [held_document(one) for one in found.brake.decision.held],
            "doubted": [".".join(name) for name in sorted(found.brake.decision.doubted)],
        },
        "skipped": [bound.dataset.name for bound in judged.skipped],
        "warnings": list(found.warnings),
    }


def _observed(judged: Judgement, found: Comparison) -> dict[str, Any]:
    facts = [result.facts for result in found.sketch.shards.values()]
    plan = judged.plan
    spent = sum(item.requests for item in facts) if plan.kept is None else 0
    lists = plan.requests + found.second.lists + found.brake.lists + (spent if plan.report is None else 0)
    gets = plan.gets + found.second.gets + found.brake.gets + (0 if plan.report is None else spent)
    complete = sum(found.sketch.complete(shard.id) for shard in judged.scanned)
    sample = len(judged.scanned) < len(judged.planned)
    usd = Requests(lists, gets).usd(plan.options.prices)
    source = Source.LISTING if plan.report is None else Source.AWS_INVENTORY
    source = source if plan.kept is None else Source.CACHE
    document = {
        "source": (Source.SAMPLE if sample else source).value,
        "as_of": _iso(plan.as_of),
        "objects": sum(item.objects for item in facts),
        "bytes": sum(item.size_bytes for item in facts),
        "requests": lists + gets,
        "requests_by_kind": {"list": lists, "get": gets},
        "estimated_cost_usd": round(usd, 6),
        "estimated_monthly_usd": round(monthly_usd(usd, plan.options.interval_s), 6),
        "shards": {
            "planned": len(judged.scanned),
            "complete": complete,
            "failed": len(judged.scanned) - complete,
        },
        "shard_durations_s": _durations_s(facts),
    }
    if plan.report is not None:
        document["report"] = plan.report.key
    if plan.as_of < plan.started_at:
        document["looked_again"] = sum(len(bits) for bits in found.second.looked.values())
    return document if found.estimate is None else {**document, "estimate": found.estimate.document()}


def _gaps(found: Comparison, now: datetime) -> dict[str, Any]:
    levels = Counter(gap.priority for gap in found.gaps)
    ages = Counter((gap.priority, age_name(_open_s(gap, now))) for gap in found.gaps)
    return {
        "total": len(found.gaps),
        "keys": sum(gap.keys for gap in found.gaps),
        "by_priority": {level.label: levels[level] for level in Priority},
        "by_age": {level.label: {age: ages[level, age] for age in AGES} for level in Priority},
    }


def _open_s(gap: Gap, now: datetime) -> float:
    return (now - min(group.first_seen_at for group in gap.groups)).total_seconds()


def _durations_s(facts: Sequence[ShardFacts]) -> dict[str, float]:
    """Return what shards took, in seconds: the median, the 95th percentile, the slowest."""
    spent = sorted(
        (datetime.fromisoformat(item.finished_at) - datetime.fromisoformat(item.started_at)).total_seconds()
        for item in facts
    )
    if not spent:
        return {}
    shares = {"median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: round(spent[math.ceil(share * len(spent)) - 1], 3) for name, share in shares.items()}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
