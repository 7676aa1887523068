"""The report of one cycle: the object that ``recon run --json`` prints (schema ``recon.cycle/1``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from recon.comparison import Comparison
from recon.model import Kind, Priority, PublishCounts, Verdict
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
        "gaps": _gaps(found),
        "tasks": {
            item.name: getattr(counts, item.name)
            for item in fields(PublishCounts)
            if item.name not in {"revised", "repaired"}
        },
        "timings_s": {name: round(spent, 3) for name, spent in timings_s.items()},
        "skipped": [bound.dataset.name for bound in judged.skipped],
        "warnings": list(found.warnings),
    }


def _observed(judged: Judgement, found: Comparison) -> dict[str, Any]:
    facts = [result.facts for result in found.sketch.shards.values()]
    requests = judged.plan.requests + sum(item.requests for item in facts)
    complete = sum(found.sketch.complete(shard.id) for shard in judged.scanned)
    sample = len(judged.scanned) < len(judged.planned)
    on_s3 = judged.plan.options.lake.startswith("s3://")
    document = {
        "source": "sample" if sample else "listing",
        "as_of": _iso(judged.plan.started_at),
        "objects": sum(item.objects for item in facts),
        "bytes": sum(item.size_bytes for item in facts),
        "requests": requests,
        "estimated_cost_usd": round(requests * judged.plan.options.list_usd, 6) if on_s3 else 0.0,
        "shards": {
            "planned": len(judged.scanned),
            "complete": complete,
            "failed": len(judged.scanned) - complete,
        },
    }
    return document if found.estimate is None else {**document, "estimate": found.estimate.document()}


def _gaps(found: Comparison) -> dict[str, Any]:
    levels = Counter(gap.priority for gap in found.gaps)
    return {
        "total": len(found.gaps),
        "keys": sum(gap.keys for gap in found.gaps),
        "by_priority": {level.label: levels[level] for level in Priority},
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
