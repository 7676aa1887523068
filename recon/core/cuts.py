"""Cut what is left of a range that turned out long, where no hint says how: by the letters of its keys.

Whatever the points, the ranges tile what is left; a bad guess costs a request, never a key.
"""

from __future__ import annotations

from collections.abc import Sequence

from recon.model import KeyRange

#: A branch that held fewer of the sampled keys than this is not worth a range of its own.
_WORTH = 4
_DIGITS = b"0123456789"
#: Letters that a point may end in: printable ASCII, so that a point is valid UTF-8 where its key was.
_PLAIN = frozenset(range(0x21, 0x7F))


def rest(span: KeyRange, seen: Sequence[bytes], most: int) -> tuple[KeyRange, ...]:
    """Return ranges that tile what ``span`` holds above the last of ``seen``; one where no cut offers itself.

    Args:
        span: The range that is being listed.
        seen: Keys of it at even distances, ascending, up to the last one that was listed.
        most: Points at most.
    """
    lows = [seen[-1], *cut_points(span, seen, most)]
    return tuple(
        KeyRange(span.prefix, low, high) for low, high in zip(lows, [*lows[1:], span.end], strict=True)
    )


def cut_points(span: KeyRange, seen: Sequence[bytes], most: int) -> tuple[bytes, ...]:
    """Return at most ``most`` points above the last of ``seen`` and inside ``span``, ascending.

    Keys are leaves of a tree whose branches are letters. The points are the branches to the right of the
    last key's own path, at every depth where its own branch was worth a range. Which letters there are is
    learned where the keys seen differ; one digit stands for all ten.
    """
    last = seen[-1]
    letters = _letters(seen)
    points = []
    for depth in range(len(span.prefix), len(last)):
        branch = last[: depth + 1]
        if sum(key.startswith(branch) for key in seen) < _WORTH:
            break
        if last[depth] in letters:
            points += [last[:depth] + bytes([letter]) for letter in letters if letter > last[depth]]
    inside = sorted(point for point in points if span.end is None or point < span.end)
    step = max(1, -(-len(inside) // max(1, most)))
    return tuple(inside[step - 1 :: step]) if most > 0 else ()


def _letters(seen: Sequence[bytes]) -> tuple[int, ...]:
    """Return the letters that vary among ``seen``, ascending."""
    found: set[int] = set()
    for depth in range(max(map(len, seen))):
        here = {key[depth] for key in seen if depth < len(key)}
        if len(here) > 1:
            found |= here
    if found.intersection(_DIGITS):
        found.update(_DIGITS)
    return tuple(sorted(found & _PLAIN))
