"""What of the state has outlived its use: by the names alone, and by the days that history keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from recon.core.past_run import began_at

#: A failed cycle's error, after which nobody can be waiting for it: longer than any message of it is still
#: delivered (``messages.BEGIN_EXPIRES_S``, the broker's visibility timeout), and than a run waits.
ERRORS_KEPT = timedelta(hours=1)
#: A finished cycle's own report, which history keeps for longer.
REPORTS_KEPT = timedelta(days=2)
_KEPT = {"error.json": ERRORS_KEPT, "report.json": REPORTS_KEPT}
#: Days of history that one cycle deletes at most.
DAYS_MAX = 31


def outlived(names: Iterable[str], ended: str) -> Iterator[tuple[str, str]]:
    """Yield (cycle id, name) of the errors and reports, of the state's ``names``, that nobody needs.

    They are older than the cycle ``ended``, by which what has no instant in its id is never judged.
    """
    last = began_at(ended)
    for name in names:
        cycle_id, _, file = name.removeprefix("cycles/").partition("/")
        began, kept = began_at(cycle_id), _KEPT.get(file)
        if began is not None and last is not None and kept is not None and began + kept < last:
            yield cycle_id, name


def ended_days(pruned_before: date, now: datetime, history_days: int) -> list[date]:
    """Return the days to delete now, the oldest first: all before ``pruned_before`` are gone already."""
    oldest = oldest_day(now, history_days)
    return [pruned_before + timedelta(days=n) for n in range(min((oldest - pruned_before).days, DAYS_MAX))]


def oldest_day(now: datetime, history_days: int) -> date:
    """Return the first day that history keeps."""
    return now.date() - timedelta(days=history_days)
