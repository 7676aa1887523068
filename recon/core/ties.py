"""Segments of a path that one wildcard's value ties together: they are read as one text."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from recon.core.bound import BoundPattern
from recon.core.pattern import Placeholder

Parts = tuple[str | Placeholder, ...]


def ties(pattern: BoundPattern) -> frozenset[int]:
    """Return the slashes (0: between the first two segments) that a repeated wildcard reaches across.

    Enumerated placeholders tie nothing: each segment is looked up by itself, and the values are compared.
    """
    reach: dict[str, list[int]] = {name: [] for name in pattern.wildcards}
    for place, parts in enumerate(pattern.template.segments):
        for part in parts:
            if isinstance(part, Placeholder) and part.name in reach:
                reach[part.name].append(place)
    return frozenset(slash for places in reach.values() for slash in range(places[0], places[-1]))


def tied(segments: Iterable[Parts], slashes: AbstractSet[int]) -> list[Parts]:
    """Return ``segments`` with those joined (by a literal '/') that have one of ``slashes`` between them."""
    joined: list[Parts] = []
    for place, parts in enumerate(segments):
        if place - 1 in slashes:
            joined[-1] += ("/", *parts)
        else:
            joined.append(parts)
    return joined
