"""Why one key has its verdict and its priority, with the values that decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from recon.comparison import Comparison
from recon.core.claims import Claims
from recon.core.domain import Domain
from recon.core.inventory import Waiver
from recon.core.rank import ranked
from recon.core.rank_words import ranking_words
from recon.core.selection import selected
from recon.core.task_body import read_body
from recon.core.verdicts import verdict_of
from recon.core.waivers import waiver_of
from recon.model import Kind, OutstandingTask, Priority, TaskState, Verdict
from recon.plan import Plan

_OUT_OF_SCOPE = "out of scope: no planned shard covers it (s3.prefixes or --select)"
_AT = {
    TaskState.LEASED: "leased_until",
    TaskState.MOOT: "leased_until",
    TaskState.COOLING: "ready_at",
    TaskState.CLAIMED: "claimed_at",
}
_WANTED = (Verdict.MISSING, Verdict.STALE, Verdict.SMALL)


def explained(found: Comparison, key: str) -> dict[str, Any]:
    """Return what is known of a key: its data type, partition, verdict, and the rule of its priority."""
    if not _is_text(key):
        return {"key": key, "verdict": None, "why": "it is not UTF-8 text, as every expected key is"}
    for number, domain in enumerate(found.judged.domains):
        ordinals = domain.encode(pl.Series([key], dtype=pl.String))
        if ordinals[0] >= 0:
            return _of(found, number, domain, int(ordinals[0]), key)
    return {"key": key, "verdict": None, "why": "no pattern of the inventory claims this key"}


def worked_on(key: str, outstanding: Iterable[OutstandingTask], claims: Claims) -> dict[str, Any]:
    """Return what is being done about a key: the task that asks for it, attempts, an absence."""
    document: dict[str, Any] = {}
    task = next((task for task in outstanding if (body := read_body(task)) and key in body.keys), None)
    if task is not None:
        document["task"] = {
            "id": task.id,
            "state": task.state.value,
            "priority": task.priority.label,
            "deliveries": task.attempts,
        }
        if task.at is not None:
            document["task"][_AT[task.state]] = task.at.isoformat()
    record = claims.keys.get(key)
    if record is not None:
        document["refuted_claims"] = {
            "count": record.attempts,
            "last_at": record.last_at.isoformat(),
            "scraper": record.scraper,
            "why": record.error,
        }
    absence = claims.absences.get(key)
    if absence is not None:
        document["absence"] = {
            "reason": absence.reason,
            "by": absence.by,
            "confirmations": absence.confirmations,
            "until": None if absence.until is None else absence.until.isoformat(),
        }
    if key in claims.filled:
        document["seen_at"] = claims.filled[key].isoformat()
    return document


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:  # bytes of the command line that no text stands for
        return False
    return True


def _of(found: Comparison, number: int, domain: Domain, ordinal: int, key: str) -> dict[str, Any]:
    plan = found.judged.plan
    own = np.array([ordinal])
    label = domain.partitions.labels[int(domain.partition(own)[0])]
    ranks = ranked(domain, own, plan.options.policy, plan.now)
    due = ranks.due[0]
    document: dict[str, Any] = {
        "key": key,
        "source": domain.dataset.source,
        "data_type": domain.dataset.data_type,
        "kind": domain.kind.value,
        "partition": dict(label),
        "pattern": domain.pattern_texts(own)[0],
        "declared_at": domain.dataset.where,
        "as_of": plan.as_of.isoformat(),
        "due_at": None if np.isnat(due) else f"{due}Z",
    }
    if domain.kind is not Kind.EXACT:
        document["why"] = "counted per partition; single keys of it have no verdict"
        return document
    verdict = verdict_of(found.verdicts[number], ordinal)
    document["verdict"] = None if verdict is None else verdict.value
    if ordinal in found.second.at(number):
        document["looked_again_at"] = plan.started_at.isoformat()
    if verdict is Verdict.UNKNOWN:
        document["why"] = _why_unknown(found, domain, ordinal, key)
    if verdict is Verdict.KNOWN_ABSENT:
        waiver = waiver_of(domain, key, plan.inventory.waivers, plan.now)
        document["why"] = None if waiver is None else _waived_words(waiver)
    if verdict in _WANTED:
        document["priority"] = Priority(int(ranks.priorities[0])).label
        document["rule"] = ranking_words(domain, ordinal, plan.options.policy, plan.now)
    if ordinal in found.brake.at(number):
        document["held"] = "by the brake on sudden losses: recon brake status"
    if ordinal in found.unconfirmed.get(number, ()):
        document["why"] = f"so says {_observation(plan)}; it was not seen live since: {_not_looked_at(found)}"
    return document


def _waived_words(waiver: Waiver) -> str:
    by = f", by {waiver.by}" if waiver.by else ""
    until = f" until {waiver.until}" if waiver.until else ""
    return f"waived{until}: {waiver.reason}{by} ({waiver.where})"


def _why_unknown(found: Comparison, domain: Domain, ordinal: int, key: str) -> str:
    plan = found.judged.plan
    raw = key.encode()
    if plan.options.select and ordinal not in selected(domain, plan.options.select):
        return "out of scope: --select leaves it out"
    if plan.report is not None:
        if not raw.startswith(plan.report.cover):
            return _OUT_OF_SCOPE
    elif (failure := _unseen_shard(found, raw)) is not None:
        return failure
    return f"it came due after {_observation(plan)} and is younger than that: {_not_looked_at(found)}"


def _unseen_shard(found: Comparison, key: bytes) -> str | None:
    """Return why the shard of a key was not seen; None where it was."""
    scanned = {shard.id for shard in found.judged.scanned}
    for shard in found.judged.planned:
        if not any(_inside(span, key) for span in shard.ranges):
            continue
        if shard.id not in scanned:
            return "its shard was left out of the sample"
        if found.sketch.complete(shard.id):
            return None
        result = found.sketch.shards.get(shard.id)
        failure = None if result is None else result.facts.failure
        return f"its shard failed: {failure}" if failure else "its shard never reported"
    return _OUT_OF_SCOPE


def _observation(plan: Plan) -> str:
    """Return what an observation that is older than its cycle is called."""
    name = "the listing" if plan.report is None else "the AWS S3 Inventory report"
    return f"{name} of {plan.as_of:%Y-%m-%d %H:%M} UTC"


def _not_looked_at(found: Comparison) -> str:
    """Return why a key was not looked at again, live."""
    options = found.judged.plan.options
    limits = [f"{options.confirm_requests_max:,} requests for gaps (s3.confirm_requests_max)"]
    if options.requests_max is not None:
        limits.append(f"{options.requests_max:,} in all (s3.max_requests_per_cycle)")
    failed = "; ".join(found.second.failures)
    return f"no live look reached it, within {' and '.join(limits)}" + (
        f"; looks that failed: {failed}" if failed else ""
    )


def _inside(span: Any, key: bytes) -> bool:
    return key.startswith(span.prefix) and span.start_after < key and (span.end is None or key <= span.end)
