"""Cut the wanted groups into chunks of ``batch_size`` and pick those that fit, in order of urgency.

A chunk is arithmetic (group, number): no key is decoded here, and no Python object stands for a key or a
chunk. Only chunks that could fit their level's room become rows of the selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recon.core.limits import Books
from recon.core.task_body import Positions, WantedGroup
from recon.model import Priority

Int64s = NDArray[np.int64]
#: Stands for "no due time" where the newest due comes first: after every real instant.
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class FreeRanks:
    """The ranks of a group that no outstanding task holds: all but ``blocked`` (ascending, distinct)."""

    size: int
    blocked: Positions

    def __len__(self) -> int:
        return self.size - len(self.blocked)

    def at(self, indices: Int64s) -> Positions:
        """Return the ranks at ``indices`` of the free ones, without listing them all."""
        # blocked[i] has blocked[i] - i free ranks below it, so this counts the blocked ranks passed over.
        passed = np.searchsorted(self.blocked - np.arange(len(self.blocked)), indices, side="right")
        return indices + passed


@dataclass(frozen=True, slots=True)
class Selection:
    """Chunks (group index, ranks) in the order to publish them, and how many had to wait, by why."""

    chosen: tuple[tuple[int, Positions], ...]
    chunks: int
    unproven: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """One row a candidate chunk: its group, number, level, source, type; ``age`` is smaller when newer."""

    group: Int64s
    chunk: Int64s
    level: Int64s
    source: Int64s
    age: Int64s

    def __len__(self) -> int:
        return len(self.group)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> _Rows:
        return _Rows(
            self.group[index], self.chunk[index], self.level[index], self.source[index], self.age[index]
        )


def selection(groups: Sequence[WantedGroup], free: Sequence[FreeRanks], books: Books) -> Selection:
    """Return the chunks to publish: by level, newest due first, sources in turn, within all limits.

    ``books`` learns which levels are contested; it is not charged.
    """
    sizes = np.array(
        [-(-len(ranks) // group.batch_size) for group, ranks in zip(groups, free, strict=True)], np.int64
    )
    rows = _candidates(groups, free, sizes, books)
    rows, unproven = _proven_first(rows, groups, sizes, books)
    sources = sorted({group.source for group in groups})
    rows = rows.take(_order(rows))
    books.contested = _contested(rows, sources, books)
    rows = rows.take(_within_shares(rows, sources, books))
    rows = rows.take(_within_levels(rows, books))
    chosen = [
        (index, free[index].at(_span(number, groups[index].batch_size, len(free[index]))))
        for index, number in zip(rows.group.tolist(), rows.chunk.tolist(), strict=True)
    ]
    return Selection(tuple(chosen), int(sizes.sum()), unproven)


def _span(number: int, batch_size: int, length: int) -> Int64s:
    return np.arange(number * batch_size, min(length, (number + 1) * batch_size), dtype=np.int64)


def _candidates(
    groups: Sequence[WantedGroup],
    free: Sequence[FreeRanks],
    sizes: Int64s,
    books: Books,
) -> _Rows:
    """Return the chunks that could fit: of each group and level, as many as the level has room for."""
    room = np.array([books.room(level) for level in Priority], dtype=np.int64)
    codes = {source: code for code, source in enumerate(sorted({group.source for group in groups}))}
    columns: list[list[Int64s]] = [[], [], [], [], []]
    for index in np.flatnonzero(sizes).tolist():
        group = groups[index]
        numbers = np.arange(sizes[index], dtype=np.int64)
        ranks = free[index].at(numbers * group.batch_size)
        levels = group.priorities[ranks].astype(np.int64)
        keep = np.flatnonzero(_rank_within(levels) < room[levels])
        due = group.due[ranks[keep]].astype("datetime64[s]")
        ages = np.where(np.isnat(due), _NEVER, -due.astype(np.int64))
        fixed = (np.full(len(keep), value, dtype=np.int64) for value in (index, codes[group.source]))
        for column, values in zip(columns, (*fixed, numbers[keep], levels[keep], ages), strict=True):
            column.append(values)
    where, source, chunk, level, age = (
        np.concatenate(column) if column else np.empty(0, dtype=np.int64) for column in columns
    )
    return _Rows(where, chunk, level, source, age)


def _proven_first(
    rows: _Rows,
    groups: Sequence[WantedGroup],
    sizes: Int64s,
    books: Books,
) -> tuple[_Rows, int]:
    """Return the rows less those of unproven types beyond their few newest, and how many chunks wait so."""
    types = sorted({(group.source, group.data_type) for group in groups if not group.proven})
    codes = {name: code for code, name in enumerate(types)}
    of_group = np.array([-1 if g.proven else codes[g.source, g.data_type] for g in groups], dtype=np.int64)
    if not types:
        return rows, 0
    rooms = {
        of_group[index]: books.type_room(group) or 0 for index, group in enumerate(groups) if not group.proven
    }
    room = np.array([rooms[code] for code in range(len(types))], dtype=np.int64)
    chunks = np.bincount(of_group[of_group >= 0], weights=sizes[of_group >= 0], minlength=len(types)).astype(
        np.int64
    )
    newest = rows.take(np.lexsort((rows.chunk, rows.group, rows.level, rows.age)))
    code = of_group[newest.group]
    kept = (code < 0) | (_rank_within(code) < room[np.maximum(code, 0)])
    return newest.take(kept), int(np.maximum(chunks - room, 0).sum())


def _order(rows: _Rows) -> Int64s:
    """Return the order: level, newest due; among those due together the sources take turns."""
    by_source = np.lexsort((rows.chunk, rows.group, rows.source, rows.age, rows.level))
    sorted_rows = rows.take(by_source)
    same = np.ones(len(rows), dtype=np.bool_)
    same[:1] = False
    for column in (sorted_rows.level, sorted_rows.age, sorted_rows.source):
        same[1:] &= column[1:] == column[:-1]
    turn = _rank_within(np.cumsum(~same))
    again = np.lexsort((sorted_rows.source, turn, sorted_rows.age, sorted_rows.level))
    return by_source[again]


def _contested(rows: _Rows, sources: Sequence[str], books: Books) -> frozenset[Priority]:
    """Return the levels at which more than one source wants or has work."""
    pairs = {(level, name) for (level, name), count in books.sources.items() if count > 0}
    wanting = set(zip(rows.level.tolist(), rows.source.tolist(), strict=True))
    pairs |= {(Priority(level), sources[code]) for level, code in wanting}
    return frozenset(level for level in Priority if sum(one == level for one, _ in pairs) > 1)


def _within_shares(rows: _Rows, sources: Sequence[str], books: Books) -> NDArray[np.bool_]:
    room = np.array(
        [[books.source_room(level, name) for name in sources] for level in Priority], dtype=np.int64
    )
    if not len(rows):
        return np.zeros(0, dtype=np.bool_)
    mask: NDArray[np.bool_] = (
        _rank_within(rows.level * len(sources) + rows.source) < room[rows.level, rows.source]
    )
    return mask


def _within_levels(rows: _Rows, books: Books) -> Int64s:
    """Return the rows (ordered by level) that their level's cap and the cap in all let through."""
    room = np.array([books.room(level) for level in Priority], dtype=np.int64)
    fitting = np.flatnonzero(_rank_within(rows.level) < room[rows.level])
    return fitting[: max(0, books.limits.in_all - books.total)]


def _rank_within(labels: Int64s) -> Int64s:
    """Return, for each element, how many equal ones come before it."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    first = np.searchsorted(ordered, ordered, side="left")
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels), dtype=np.int64) - first
    return ranks
