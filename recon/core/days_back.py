"""``{days_back}``: how many days, counted from today, a scraper has to go back to fill a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from recon.core.invalid import InvalidValueError
from recon.core.moments import Moment, parse_moment
from recon.core.season_years import NO_SEASON, last_year, season_starts
from recon.core.task_body import TaskBody

#: Placeholders that name a season or a year, which passes over its whole length.
_PERIODS = ("season", "year")


def days_back(task: TaskBody, items: Sequence[Mapping[str, Any]], now: datetime, limit: int | None) -> int:
    """Return the days from the oldest day that the items (else the partition) name to today, both counted.

    A task that names no day takes the ``limit``, unless its season ended longer ago than that.

    Raises:
        InvalidValueError: If that is beyond the limit, or nothing says how far it is.
    """
    today = now.astimezone(UTC).date()
    values = [item for item in items if item] or [task.partition]
    days = [day for value in values for day in _days(value)]
    if days:
        needed = max(1, (today - min(days)).days + 1)
        if limit is not None and needed > limit:
            raise InvalidValueError(f"{needed} days, beyond limits.days_back of {limit}")
        return needed
    if limit is None:
        raise InvalidValueError("the task names no day; limits.days_back would say how far to go back")
    ended = max((end for value in values for end in _ends(value)), default=today)
    if (today - ended).days >= limit:
        raise InvalidValueError(
            f"its season ended {(today - ended).days} days ago, beyond limits.days_back of {limit}"
        )
    return limit


def _days(values: Mapping[str, Any]) -> Iterable[date]:
    """Yield the days that values name: times, and texts such as 2026-01-14 or 2026-01."""
    for name, value in values.items():
        moment = None if name in _PERIODS else _moment(value)
        if moment is not None and moment.unit != "year":
            yield moment.at.date()


def _moment(value: Any) -> Moment | None:
    try:
        return parse_moment(value) if isinstance(value, str) else None
    except InvalidValueError:
        return None


def _ends(values: Mapping[str, Any]) -> Iterable[date]:
    for name in _PERIODS:
        text = str(values.get(name, ""))
        year = last_year(text)
        if year != NO_SEASON:
            # A bare year may be a calendar year: it lasts until its end.
            end = season_starts(np.array([year]))[0] if "-" in text else np.datetime64(f"{year + 1}-01-01")
            day: date = end.astype("datetime64[D]").astype(object)
            yield day
