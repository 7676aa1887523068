"""Wanted groups over plain lists of keys, for tests of the queue plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from recon.core.standing import CycleFacts
from recon.core.task_body import WantedGroup
from recon.model import OutstandingTask, Reason, TaskState

LAKE = "s3://lake/root"
NOW = datetime(2025, 1, 10, tzinfo=UTC)
SEEN = datetime(2025, 1, 1, 6, 30, tzinfo=UTC)


class ListedKeys:
    """Keys in rank order, and how many of them were decoded."""

    def __init__(self, keys):
        self.keys = list(keys)
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.decoded = 0

    def keys_at(self, positions):
        self.decoded += len(positions)
        return [self.keys[place] for place in positions.tolist()]

    def items_at(self, positions):
        return [{"name": self.keys[place]} for place in positions.tolist()]

    def positions_of(self, keys):
        return np.array([self.places.get(key, -1) for key in keys], dtype=np.int64)


class NumberedKeys:
    """``size`` keys that exist only as numbers; ``decoded`` counts what was asked for."""

    def __init__(self, size):
        self.size = size
        self.decoded = 0

    def keys_at(self, positions):
        self.decoded += len(positions)
        return [f"k/{place:09d}" for place in positions.tolist()]

    def items_at(self, positions):
        return [{"n": place} for place in positions.tolist()]

    def positions_of(self, keys):
        return np.array([int(key[2:]) for key in keys], dtype=np.int64)


def group(
    keys=(),
    *,
    source="nba",
    data_type="box",
    reason=Reason.MISSING,
    partition=None,
    levels=None,
    due=None,
    counted=None,
    wanted=None,
    **settings,
):
    """Return a group; ``levels`` and ``due`` (days, None: no time) go with ``keys`` one by one."""
    size = 1 if counted else len(levels) if levels is not None else len(keys)
    days = list(due) if due is not None else [None] * size
    instants = np.array(
        [np.datetime64("NaT" if day is None else "2025-01-01") for day in days], "datetime64[D]"
    )
    instants += np.array([day or 0 for day in days], "timedelta64[D]")
    have_expected = {"have": counted[0], "expected": counted[1]} if counted else {"min_size_bytes": 100}
    return WantedGroup(
        source=source,
        data_type=data_type,
        reason=reason,
        partition=partition if partition is not None else {"season": "2024-25"},
        scraper=settings.pop("scraper", f"{source}_scraper"),
        pattern=settings.pop("pattern", f"{source}/{data_type}/{{name}}.json"),
        first_seen_at=settings.pop("first_seen_at", SEEN),
        priorities=np.array(levels if levels is not None else [1] * size, dtype=np.uint8),
        due=instants.astype("datetime64[s]"),
        keys=None if counted else (wanted or ListedKeys(keys)),
        expect=settings.pop("expect", have_expected),
        **settings,
    )


def facts(**changed):
    """Return the facts of a complete cycle at ``NOW`` in which every key was looked at."""
    known = {
        "lake": LAKE,
        "as_of": NOW,
        "undecided": lambda body: not body.id,
    }
    return CycleFacts(**(known | changed))


def outstanding_after(plan, outstanding):
    """Return what the queue holds once ``plan`` is carried out."""
    gone = set(plan.withdrawn)
    reopened = {task.id for task in plan.reopened}
    rewritten = {task.id: task for task in (*plan.revised, *plan.moved, *plan.reopened)}
    stay = [
        replace(
            task,
            priority=rewritten[task.id].priority if task.id in rewritten else task.priority,
            body=rewritten[task.id].body if task.id in rewritten else task.body,
            state=TaskState.COOLING if task.id in reopened else task.state,
        )
        for task in outstanding
        if task.id not in gone
    ]
    new = [OutstandingTask(task.id, task.priority, task.source, task.body) for task in plan.published]
    return (*stay, *new)
