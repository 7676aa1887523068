"""How ordinals are laid out, as a digest: domains of one digest have the same ordinals."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

from recon.core.block import Block
from recon.core.domain import Domain


@dataclass(frozen=True, slots=True)
class Layout:
    """The data type (``source.type``) of a domain, and the digest."""

    name: str
    digest: str


def layout(domain: Domain) -> Layout:
    """Return the digest of what gives ordinals and partitions their meaning: patterns, axes, life spans.

    It may differ between versions of Polars, which costs time, never truth.
    """
    digest = blake2b(digest_size=16)
    told: list[object] = [domain.name, domain.kind.value, domain.bases.tolist(), domain.partitions.labels]
    for block in domain.blocks:
        told += [block.pattern.spec.text, [(axis.fields, axis.size) for axis in block.axes]]
        for number in range(len(block.axes)):
            for column in texts(block, number):
                digest.update(column.hash().to_numpy().tobytes())
        if block.pattern.spans is not None:
            digest.update(block.pattern.spans.first.tobytes())
            digest.update(block.pattern.spans.count.tobytes())
    digest.update(domain.shadowed.serialize())
    digest.update(repr(told).encode())
    return Layout(domain.name, digest.hexdigest())


def texts(block: Block, number: int) -> list[pl.Series]:
    """Return the columns of texts that one axis puts into a pattern's keys."""
    axis = block.axes[number]
    specs = {(item.name, item.spec) for item in block.pattern.template.placeholders}
    return [
        axis.texts(name, spec).alias(f"{name}:{spec}") for name, spec in sorted(specs) if name in axis.fields
    ]
