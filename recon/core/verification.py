"""What a live look says of a claimed task: which of its keys are there, which are not, which nobody saw."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from recon.core.task_body import TaskBody, counted_name, written
from recon.model import OutstandingTask, ScrapeTask


@dataclass(frozen=True, slots=True)
class SeenObject:
    """An object as a live look met it: bytes, and when it was last written."""

    size: int
    mtime: datetime


@dataclass(frozen=True, slots=True)
class Borne:
    """The keys of a claimed task, by what was seen of them."""

    there: tuple[str, ...]
    lacking: tuple[str, ...]
    unseen: tuple[str, ...]


def borne_out(body: TaskBody, looked_at: Collection[str], objects: Mapping[str, SeenObject]) -> Borne:
    """Return which keys of a task hold what it asked for: there, large enough, and fresh enough."""
    least = int(body.document.get("expect", {}).get("min_size_bytes") or 0)
    fresh_after = _instant(body.document.get("expect", {}).get("fresh_after"))
    there, lacking, unseen = [], [], []
    for key in body.keys:
        found = objects.get(key)
        if key not in looked_at:
            unseen.append(key)
        elif (
            found is not None and found.size >= least and (fresh_after is None or found.mtime >= fresh_after)
        ):
            there.append(key)
        else:
            lacking.append(key)
    return Borne(tuple(there), tuple(lacking), tuple(unseen))


def narrowed(task: OutstandingTask, body: TaskBody, keys: Collection[str]) -> ScrapeTask:
    """Return a task that asks only for some of its keys, under its id."""
    document = dict(body.document)
    places = [at for at, key in enumerate(body.keys) if key in keys]
    items = document.get("items", [])
    document["keys"] = [body.keys[at] for at in places]
    if len(items) == len(body.keys):
        document["items"] = [items[at] for at in places]
    return ScrapeTask(task.id, task.priority, task.source, written(document))


def names_of(body: TaskBody) -> list[str]:
    """Return what attempts of a task are counted under: its keys, or its partition where it names none."""
    return list(body.keys) or [counted_name(body.source, body.data_type, body.partition)]


def first_seen(body: TaskBody) -> datetime | None:
    """Return when a task's gap was first seen."""
    return _instant(body.document.get("first_seen_at"))


def scraper_of(body: TaskBody) -> str:
    """Return who is to do a task."""
    return str(body.document.get("scraper") or body.source)


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
