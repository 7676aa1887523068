"""Coverage over many rows of a report: one share for a data type, a source, or all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def share(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the covered part of what ``rows`` judge, as their own coverage is defined.

    Exact rows weigh by their judged keys, counted ones by what they expect; rows of kind any, and those of
    which nothing is known, weigh nothing. None where nothing weighs.
    """
    covered = judged = 0
    for row in rows:
        if row["coverage"] is None:
            continue
        if row["kind"] == "exact":
            covered += row["ok"]
            judged += row["ok"] + row["stale"] + row["small"] + row["missing"]
        else:
            covered += min(row["have"], row["expected"])
            judged += row["expected"]
    return covered / judged if judged else None
