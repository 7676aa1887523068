"""One domain in a line: kind, range, count, partition, example. What ``recon validate`` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from recon.core.domain import Domain
from recon.model import Kind


def described_domain(domain: Domain) -> dict[str, Any]:
    """Return what a domain comes to: its count is None for kind any."""
    return {
        "name": domain.name,
        "kind": domain.kind.value,
        "range": "; ".join(_ranges(domain)) or "-",
        "count": _count(domain),
        "partition": list(domain.expectation.partition),
        "example": _example(domain),
        "where": domain.dataset.where,
    }


def _example(domain: Domain) -> str:
    """Return the first expected key, with what is not enumerated as its pattern has it."""
    block = domain.blocks[0]
    pattern = block.pattern
    if not block.size:
        return pattern.spec.text
    first = np.zeros(1, dtype=np.int64)
    pieces = []
    for part in pattern.template.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        number = next((n for n, axis in enumerate(block.axes) if part.name in axis.fields), None)
        if number is None:
            pieces.append(f"{{{part.name}}}")
        else:
            texts = block.axes[number].texts(part.name, part.spec)
            pieces.append(str(texts[int(block.index(first, number)[0])]))
    return "".join(pieces)


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
