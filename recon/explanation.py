"""Why one key has its verdict and its priority, with the values that decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from recon.comparison import Comparison
from recon.core.domain import Domain
from recon.core.inventory import Waiver
from recon.core.rank import ranked
from recon.core.rank_words import ranking_words
from recon.core.verdicts import verdict_of
from recon.core.waivers import waiver_of
from recon.model import Kind, Priority, Verdict

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
        "as_of": plan.started_at.isoformat(),
        "due_at": None if np.isnat(due) else f"{due}Z",
    }
    if domain.kind is not Kind.EXACT:
        document["why"] = "counted per partition; single keys of it have no verdict"
        return document
    verdict = verdict_of(found.verdicts[number], ordinal)
    document["verdict"] = None if verdict is None else verdict.value
    if verdict is Verdict.UNKNOWN:
        document["why"] = _why_unknown(found, key)
    if verdict is Verdict.KNOWN_ABSENT:
        waiver = waiver_of(domain, key, plan.inventory.waivers, plan.now)
        document["why"] = None if waiver is None else _waived_words(waiver)
    if verdict in _WANTED:
        document["priority"] = Priority(int(ranks.priorities[0])).label
        document["rule"] = ranking_words(domain, ordinal, plan.options.policy, plan.now)
    return document


def _waived_words(waiver: Waiver) -> str:
    by = f", by {waiver.by}" if waiver.by else ""
    until = f" until {waiver.until}" if waiver.until else ""
    return f"waived{until}: {waiver.reason}{by} ({waiver.where})"


def _why_unknown(found: Comparison, key: str) -> str:
    raw = key.encode()
    scanned = {shard.id for shard in found.judged.scanned}
    for shard in found.judged.planned:
        if not any(_inside(span, raw) for span in shard.ranges):
            continue
        if shard.id not in scanned:
            return "its shard was left out of the sample"
        result = found.sketch.shards.get(shard.id)
        failure = None if result is None else result.facts.failure
        return f"its shard failed: {failure}" if failure else "its shard never reported"
    return "out of scope: no planned shard covers it (s3.prefixes or --select)"


def _inside(span: Any, key: bytes) -> bool:
    return key.startswith(span.prefix) and span.start_after < key and (span.end is None or key <= span.end)
