"""Every expected key gets exactly one verdict: set algebra over bitmaps of ordinals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyroaring import BitMap

from recon.core.block import CHUNK, bitmap, ordinals_of
from recon.core.domain import Domain
from recon.core.inventory import Waiver
from recon.core.shards import Observed
from recon.core.sketch import DomainSketch
from recon.core.waivers import known_absent
from recon.model import Kind, Verdict

Verdicts = Mapping[Verdict, BitMap]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one exact domain: P, S, Z, D, K, U of the verdict rules, as sets of ordinals."""

    expected: BitMap
    present: BitMap
    stale: BitMap
    small: BitMap
    not_due: BitMap
    known_absent: BitMap
    unobserved: BitMap


def verdicts(facts: Facts) -> Verdicts:
    """Return the seven disjoint sets that together are all expected ordinals.

    unknown = U - P, small = Z, ok = P - S - Z, stale = S - Z, not_due = D - P - U,
    known_absent = K - P - U - D, missing = everything else.
    """
    expected = facts.expected
    present = facts.present & expected
    small = facts.small & expected
    stale = (facts.stale & expected) - small
    unknown = (facts.unobserved & expected) - present
    not_due = (facts.not_due & expected) - present - unknown
    known_absent = (facts.known_absent & expected) - present - unknown - not_due
    return {
        Verdict.OK: present - stale - small,
        Verdict.STALE: stale,
        Verdict.SMALL: small,
        Verdict.MISSING: expected - present - unknown - not_due - known_absent,
        Verdict.NOT_DUE: not_due,
        Verdict.KNOWN_ABSENT: known_absent,
        Verdict.UNKNOWN: unknown,
    }


def facts_of(
    domain: Domain, seen: DomainSketch, unseen: BitMap, waivers: Iterable[Waiver], now: np.datetime64
) -> Facts:
    """Return the facts of an exact domain from its merged sketch and what is ``unseen`` of it."""
    expected = domain.expected
    return Facts(
        expected=expected,
        present=seen.present,
        stale=seen.stale,
        small=seen.small,
        not_due=domain.not_due(now),
        known_absent=known_absent(domain, waivers, now),
        unobserved=unseen,
    )


def unobserved(domain: Domain, observed: Observed, ordinals: BitMap) -> BitMap:
    """Return those of ``ordinals`` whose keys (or key ranges) lie where not everything was seen."""
    if all(observed.whole(block.literal_prefix) for block in domain.blocks):
        return BitMap()
    unseen = BitMap()
    every = ordinals_of(ordinals)
    for start in range(0, len(every), CHUNK):
        part = every[start : start + CHUNK]
        unseen |= bitmap(part[~_seen(domain, observed, part)])
    return unseen


def _seen(domain: Domain, observed: Observed, ordinals: NDArray[np.int64]) -> NDArray[np.bool_]:
    if domain.kind is Kind.EXACT:
        return observed.mask(domain.decode(ordinals).cast(pl.Binary))
    prefixes = domain.prefixes(ordinals).cast(pl.Binary)
    return np.array([observed.whole(prefix) for prefix in prefixes], dtype=np.bool_)


def verdict_of(found: Verdicts, ordinal: int) -> Verdict | None:
    """Return the verdict of one ordinal; None where it is not expected."""
    return next((verdict for verdict, bits in found.items() if ordinal in bits), None)
