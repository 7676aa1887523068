"""What changed between two cycles: gaps opened, closed or changed, and coverage, from rows of the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recon.core.shares import share

#: Rows of coverage or of gaps, as history keeps them; ``partition`` is a mapping.
Rows = Sequence[Mapping[str, Any]]
_Place = tuple[str, ...]

#: Why a gap is gone.
FILLED, KNOWN_ABSENT, NOT_EXPECTED = "filled", "known_absent", "not_expected"


def gap_changes(before: Rows, after: Rows, seen_before: Rows, seen_after: Rows) -> dict[str, Any]:
    """Return the gaps that were opened, closed (and why), changed in size or priority, or not looked at.

    A gap that is gone is closed only where its partition was looked at: ``seen_before`` and ``seen_after``
    are the cycles' coverage rows. ``unseen`` gaps may still be there.
    """
    old, new = _by_gap(before), _by_gap(after)
    was, now = _by_place(seen_before, 3), _by_place(seen_after, 3)
    closed, unseen = [], []
    for name, gap in old.items():
        if name in new:
            continue
        rows = now.get(name[:3], [])
        if any(row["unknown"] for row in rows):
            unseen.append(_shown(gap))
        else:
            closed.append({**_shown(gap), "why": _why(was.get(name[:3], []), rows)})
    both = [(old[name], gap) for name, gap in new.items() if name in old]
    changed = [_changed(first, second) for first, second in both if _weight(first) != _weight(second)]
    return {
        "opened": [_shown(gap) for name, gap in new.items() if name not in old],
        "closed": closed,
        "changed": changed,
        "unseen": unseen,
        "unchanged": len(both) - len(changed),
    }


def coverage_changes(before: Rows, after: Rows) -> dict[str, list[dict[str, Any]]]:
    """Return where coverage is another one, as shares, over all, and by source, data type and partition.

    None stands for what was not expected, or not known, in that cycle.
    """
    levels = {"total": 0, "sources": 1, "data_types": 2, "partitions": 3}
    return {name: list(_shifts(before, after, depth)) for name, depth in levels.items()}


def size(gap: Mapping[str, Any]) -> int:
    """Return how much a gap lacks: its keys, or the objects that its number is short of."""
    return int(gap["keys"] if gap["expected"] is None else gap["expected"] - gap["have"])


def _shifts(before: Rows, after: Rows, depth: int) -> Iterable[dict[str, Any]]:
    was, now = _by_place(before, depth), _by_place(after, depth)
    for place in sorted({*was, *now}):
        first, second = share(was.get(place, ())), share(now.get(place, ()))
        if first != second:
            row = (was.get(place) or now[place])[0]
            fields = dict(zip(("source", "data_type", "partition"), _fields(row)[:depth], strict=False))
            yield {**fields, "before": first, "after": second}


def _by_gap(rows: Rows) -> dict[_Place, Mapping[str, Any]]:
    return {(*_place(row), row["reason"]): row for row in rows}


def _by_place(rows: Rows, depth: int) -> dict[_Place, list[Mapping[str, Any]]]:
    found: dict[_Place, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[_place(row)[:depth]].append(row)
    return found


def _place(row: Mapping[str, Any]) -> _Place:
    return row["source"], row["data_type"], ",".join(f"{k}={v}" for k, v in sorted(row["partition"].items()))


def _fields(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["source"], row["data_type"], row["partition"]


def _why(was: Rows, now: Rows) -> str:
    if not now:
        return NOT_EXPECTED
    absent = [sum(row["known_absent"] for row in rows) for rows in (was, now)]
    return KNOWN_ABSENT if absent[1] > absent[0] else FILLED


def _weight(gap: Mapping[str, Any]) -> tuple[int, str]:
    return size(gap), gap["priority"]


def _shown(gap: Mapping[str, Any]) -> dict[str, Any]:
    names = ("source", "data_type", "partition", "reason", "priority")
    return {**{name: gap[name] for name in names}, "size": size(gap)}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {**_shown(after), "size_before": size(before), "priority_before": before["priority"]}
