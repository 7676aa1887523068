"""Marks on what was listed, and the keys at even distances among them: where the next cycle cuts."""

from __future__ import annotations

from collections.abc import Iterable

#: A key, and how many keys were listed up to it (itself included) since the mark before.
Mark = tuple[bytes, int]


def boundaries(marks: Iterable[Mark], apart: int, most: int) -> tuple[bytes, ...]:
    """Return keys at most ``apart`` keys from each other where marks allow it; one at least, of any marks.

    ``marks`` come in any order; beyond ``most`` boundaries every so many are kept.
    """
    kept: list[bytes] = []
    rows, before = 0, b""
    for key, count in sorted(marks):
        if rows and rows + count > apart:
            kept.append(before)
            rows = 0
        rows, before = rows + count, key
    # A short end joins the neighbour's beginning, or each cycle would cut finer than the one before.
    if rows and (not kept or rows * 2 >= apart):
        kept.append(before)
    return thinned(kept, most)


def thinned(keys: list[bytes], most: int) -> tuple[bytes, ...]:
    """Return every so many of ``keys``, at most ``most``."""
    step = max(1, -(-len(keys) // most))
    return tuple(keys[step - 1 :: step])
