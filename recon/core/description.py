"""One domain in a line: kind, range, count, partition, example. What ``recon validate`` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from recon.core.domain import Domain
from recon.model import Kind


def described_domain(domain: Domain) -> dict[str, Any]:
    """Return what a domain comes to: its count is None for kind any."""
    first = np.zeros(min(domain.size, 1), dtype=np.int64)
    texts = domain.decode(first) if domain.kind is Kind.EXACT else domain.prefixes(first)
    pattern = domain.expectation.patterns[0].spec.text
    return {
        "name": domain.name,
        "kind": domain.kind.value,
        "range": "; ".join(_ranges(domain)) or "-",
        "count": _count(domain),
        "partition": list(domain.expectation.partition),
        "example": str(texts[0]) if domain.kind is Kind.EXACT and len(texts) else pattern,
        "where": domain.dataset.where,
    }


def _count(domain: Domain) -> int | None:
    if domain.kind is Kind.EXACT:
        return domain.size - len(domain.shadowed)
    expected = domain.expectation.expected
    return None if expected is None else expected * len(domain.partitions.labels)


def _ranges(domain: Domain) -> list[str]:
    ranges: dict[str, None] = {}
    for block in domain.blocks:
        for name in block.pattern.enumerated:
            axis = block.pattern.axis_of(name)
            if axis is not None and axis.size:
                texts = axis.texts(name)
                ranges[f"{name} {texts[0]} … {texts[-1]} ({axis.size:,})"] = None
    return list(ranges)
