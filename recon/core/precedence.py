"""Within one data type the first pattern that fits a key has it, in whatever groups they are judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np
from pyroaring import BitMap

from recon.core.block import CHUNK, Block, Ordinals, bitmap
from recon.core.bound import BoundPattern, BoundType, Expectation
from recon.core.key_column import KeyColumn
from recon.core.pattern import Placeholder
from recon.core.segment_language import SOME, shapes_meet
from recon.model import Notice


def earlier(bound: BoundType, own: Expectation, pattern: BoundPattern) -> tuple[Block, ...]:
    """Return the patterns before ``pattern``, of other groups than ``own``, that might fit its keys."""
    return tuple(
        Block(other)
        for group in bound.expectations
        if group is not own
        for other in group.patterns
        if other.place < pattern.place and may_share(other, pattern)
    )


def left_by(rivals: Sequence[Block], keys: KeyColumn, ordinals: Ordinals) -> Ordinals:
    """Return the ordinals of ``keys``, -1 where one of ``rivals`` claims the key."""
    for rival in rivals:
        hit = ordinals >= 0
        if hit.any():
            taken = rival.encode(keys.where(hit)) >= 0
            ordinals[np.flatnonzero(hit)[taken]] = -1
    return ordinals


def shared(block: Block, other: Block) -> BitMap:
    """Return the ordinals of ``block``, which has no wildcards, whose keys ``other`` claims."""
    found = BitMap()
    for start in range(0, block.size, CHUNK):
        own = np.arange(start, min(start + CHUNK, block.size), dtype=np.int64)
        found |= bitmap(own[other.encode(KeyColumn.of(block.decode(own))) >= 0])
    return found


def swallowed(name: str, block: Block, taken: Iterable[tuple[Block, BitMap]]) -> list[Notice]:
    """Return a notice for each pattern with wildcards that claims expected keys of ``block`` before it."""
    late = block.pattern.spec
    return [
        Notice(
            f"{name}: {len(keys):,} of {block.size:,} keys of '{late.text}' fit "
            f"'{rival.pattern.spec.text}' too, which stands before it and has them: they are not expected "
            f"one by one. Write '{late.text}' first",
            late.where,
        )
        for rival, keys in taken
        if keys and rival.pattern.wildcards
    ]


def may_share(left: BoundPattern, right: BoundPattern) -> bool:
    """Tell whether some key might fit both patterns, whatever the values of their placeholders."""
    pairs = zip_longest(left.template.segments, right.template.segments)
    return all(one is not None and other is not None and _may_meet(one, other) for one, other in pairs)


def _may_meet(one: Sequence[str | Placeholder], other: Sequence[str | Placeholder]) -> bool:
    return one == other or shapes_meet(_shape(one), _shape(other))


def _shape(parts: Sequence[str | Placeholder]) -> tuple[str, ...]:
    return tuple(part if isinstance(part, str) else SOME for part in parts)
