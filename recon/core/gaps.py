"""Gaps: one data type x partition x reason, ranked, as the groups of wanted keys that tasks are cut from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import Ordinals, ordinals_of
from recon.core.coverage import Counted
from recon.core.domain import Domain
from recon.core.numbering import Numbering
from recon.core.partitions import Label
from recon.core.rank import Policy, by_completeness, limited, ranked
from recon.core.task_body import Positions, WantedGroup
from recon.core.verdicts import Verdicts
from recon.model import Priority, Reason, Verdict

_REASONS = {Verdict.MISSING: Reason.MISSING, Verdict.STALE: Reason.STALE, Verdict.SMALL: Reason.SMALL}

#: Name of a gap -> when it was first seen.
FirstSeen = Callable[[str], datetime]


@dataclass(frozen=True, slots=True, eq=False)
class DomainKeys:
    """The wanted keys of one group, most urgent first, decoded only when asked for."""

    numbering: Numbering
    ordinals: Ordinals

    def keys_at(self, positions: Positions) -> Sequence[str]:
        """Return the keys at ``positions``."""
        keys: list[str] = self.numbering.domain.decode(self.ordinals[positions]).to_list()
        return keys

    def items_at(self, positions: Positions) -> Sequence[dict[str, Any]]:
        """Return the raw values of the placeholders of the keys at ``positions``."""
        return self.numbering.domain.items(self.ordinals[positions])

    def positions_of(self, keys: Sequence[str]) -> Positions:
        """Return the rank of each key, -1 where the group does not want it."""
        wanted = self.numbering.of(keys)
        order = np.argsort(self.ordinals, kind="stable")
        ascending = self.ordinals[order]
        place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
        return np.where(ascending[place] == wanted, order[place], -1)


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """One gap: its groups (one per pattern), how many keys it lacks, and its highest level.

    ``have`` and ``expected`` are set for counted and any gaps, which name no keys.
    """

    source: str
    data_type: str
    partition: Label
    reason: Reason
    priority: Priority
    keys: int
    groups: tuple[WantedGroup, ...]
    have: int | None = None
    expected: int | None = None

    def is_of(self, domain: Domain) -> bool:
        """Tell whether the gap is one that a counted or any ``domain`` shows."""
        own = (self.source, self.data_type, self.reason)
        return own == (domain.dataset.source, domain.dataset.data_type, Reason.INCOMPLETE)

    @property
    def name(self) -> str:
        """Return ``source.type a=b,c=d`` (``-`` for no partition)."""
        return gap_name(self.source, self.data_type, self.partition)

    def document(self) -> dict[str, Any]:
        """Return it as ``recon gaps --json`` prints it."""
        return {
            "source": self.source,
            "data_type": self.data_type,
            "partition": dict(self.partition),
            "reason": self.reason.value,
            "priority": self.priority.label,
            "keys": self.keys,
            "have": self.have,
            "expected": self.expected,
        }


def gap_name(source: str, data_type: str, partition: Label) -> str:
    """Return ``source.type a=b,c=d`` (``-`` for no partition)."""
    fields = ",".join(f"{name}={value}" for name, value in partition) or "-"
    return f"{source}.{data_type} {fields}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What gaps of any domain need to know: the policy, the instant, and what was known before."""

    policy: Policy
    now: datetime
    first_seen: FirstSeen
    proven: Callable[[str, str], bool]

    @property
    def instant(self) -> np.datetime64:
        """Return ``now`` as datetime64[s] in UTC."""
        return np.datetime64(self.now.astimezone(UTC).replace(tzinfo=None), "s")


def exact_gaps(numbering: Numbering, found: Verdicts, setting: Setting) -> list[Gap]:
    """Return the gaps of an exact domain: every key that is missing, stale or small."""
    gaps = []
    for verdict, reason in _REASONS.items():
        gaps.extend(_gaps_of_reason(numbering, found[verdict], reason, setting))
    return gaps


def counted_gaps(domain: Domain, judged: Counted, setting: Setting) -> list[Gap]:
    """Return the gaps of a counted or any domain: partitions short of their number, due and looked at."""
    have = judged.tally.have
    below = judged.short & (have < judged.wanted * domain.dataset.completeness_threshold)
    if not below.any():
        return []
    ordinals = np.arange(domain.size, dtype=np.int64)
    ranks = ranked(domain, ordinals, setting.policy, setting.instant)
    numbers = domain.partition(ordinals)
    gaps = []
    for number in np.flatnonzero(below).tolist():
        own = np.flatnonzero(numbers == number)
        due = ranks.due[own]
        level = max(
            by_completeness(int(have[number]), int(judged.wanted[number]), setting.policy),
            Priority(int(ranks.rules[own].min())),
        )
        required = np.array([any(block.pattern.required for block in domain.blocks)])
        levels = limited(np.array([level], np.uint8), domain.dataset.declared_priority, required)
        gaps.append(_counted_gap(domain, judged, number, (Priority(int(levels[0])), _newest(due)), setting))
    return gaps


def _newest(due: NDArray[np.datetime64]) -> np.datetime64:
    known = due[~np.isnat(due)]
    newest: np.datetime64 = known.max() if len(known) else np.datetime64("NaT", "s")
    return newest


def _counted_gap(
    domain: Domain,
    judged: Counted,
    number: int,
    urgency: tuple[Priority, np.datetime64],
    setting: Setting,
) -> Gap:
    level, newest = urgency
    label = domain.partitions.labels[number]
    have, wanted = int(judged.tally.have[number]), int(judged.wanted[number])
    group = _group(
        domain,
        label,
        setting,
        reason=Reason.INCOMPLETE,
        pattern=domain.blocks[0].pattern.spec.text,
        priorities=np.array([level], dtype=np.uint8),
        due=np.array([newest], dtype="datetime64[s]"),
        keys=None,
        expect={"have": have, "expected": wanted},
    )
    dataset = domain.dataset
    return Gap(dataset.source, dataset.data_type, label, Reason.INCOMPLETE, level, 0, (group,), have, wanted)


def _gaps_of_reason(numbering: Numbering, bits: BitMap, reason: Reason, setting: Setting) -> list[Gap]:
    if not bits:
        return []
    domain = numbering.domain
    ordinals = ordinals_of(bits)
    ranks = ranked(domain, ordinals, setting.policy, setting.instant)
    partitions = domain.partition(ordinals)
    blocks = np.searchsorted(domain.bases, ordinals, side="right") - 1
    newest_first = np.where(np.isnat(ranks.due), np.iinfo(np.int64).max, -ranks.due.astype(np.int64))
    order = np.lexsort((ordinals, newest_first, ranks.priorities, blocks, partitions))
    together = partitions[order] * len(domain.blocks) + blocks[order]
    edges = [0, *(np.flatnonzero(np.diff(together)) + 1).tolist(), len(order)]
    by_partition: dict[int, list[WantedGroup]] = {}
    for low, high in pairwise(edges):
        rows = order[low:high]
        block = domain.blocks[int(blocks[rows[0]])]
        number = int(partitions[rows[0]])
        pattern = block.pattern
        group = _group(
            domain,
            domain.partitions.labels[number],
            setting,
            reason=reason,
            pattern=pattern.spec.text,
            priorities=ranks.priorities[rows],
            due=ranks.due[rows],
            keys=DomainKeys(numbering, ordinals[rows]),
            expect={"min_size_bytes": pattern.min_size_bytes},
            freshness_s=pattern.freshness_s,
        )
        by_partition.setdefault(number, []).append(group)
    return [_exact_gap(domain, number, reason, groups) for number, groups in by_partition.items()]


def _exact_gap(domain: Domain, number: int, reason: Reason, groups: list[WantedGroup]) -> Gap:
    level = Priority(min(int(group.priorities[0]) for group in groups))
    keys = sum(len(group.priorities) for group in groups)
    dataset = domain.dataset
    label = domain.partitions.labels[number]
    return Gap(dataset.source, dataset.data_type, label, reason, level, keys, tuple(groups))


def _group(
    domain: Domain,
    label: Label,
    setting: Setting,
    *,
    reason: Reason,
    pattern: str,
    priorities: NDArray[np.uint8],
    due: NDArray[np.datetime64],
    keys: DomainKeys | None,
    expect: dict[str, Any],
    freshness_s: float | None = None,
) -> WantedGroup:
    dataset = domain.dataset
    since = setting.first_seen(f"{reason.value} {gap_name(dataset.source, dataset.data_type, label)}")
    if freshness_s is not None:
        # What is stale is so by today's clock; whatever comes for an absent key is newer than its gap.
        after = (setting.now if reason is Reason.STALE else since) - timedelta(seconds=freshness_s)
        expect = {**expect, "fresh_after": after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return WantedGroup(
        source=dataset.source,
        data_type=dataset.data_type,
        reason=reason,
        partition=dict(label),
        scraper=dataset.scraper,
        pattern=pattern,
        first_seen_at=since,
        priorities=priorities,
        due=due,
        keys=keys,
        expect=expect,
        args=dataset.scraper_args,
        batch_size=dataset.batch_size,
        proven=setting.proven(dataset.source, dataset.data_type),
    )
