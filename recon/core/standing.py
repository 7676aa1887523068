"""Where each outstanding task stands today: which group still wants which of its keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recon.core.task_body import Positions, TaskBody, WantedGroup, read_body, revised_task, task_id
from recon.model import OutstandingTask, Priority, Reason, ScrapeTask, Settlement, TaskState

#: Source, data type and the partition's sorted items: where a key belongs.
Place = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class CycleFacts:
    """What a plan must know of its cycle.

    ``undecided`` tells of an outstanding task that this cycle may not judge it: one of its keys is
    unknown, or in a scope the brake holds. ``as_of`` is the instant that the observation shows: a claim
    from before it that is not borne out is false.
    """

    lake: str
    as_of: datetime
    undecided: Callable[[TaskBody], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """An outstanding task that stays. ``home`` is the index of the group that wants it, -1 if undecided.

    ``ranks`` are the places of its keys in that group, -1 where a key is no longer wanted.
    """

    task: OutstandingTask
    body: TaskBody
    home: int
    ranks: Positions

    @property
    def is_decided(self) -> bool:
        """Return whether this cycle may act on the task."""
        return self.home >= 0

    @property
    def wanted(self) -> list[str]:
        """Return the keys that the home group still wants."""
        return [key for key, rank in zip(self.body.keys, self.ranks.tolist(), strict=True) if rank >= 0]

    @property
    def is_said(self) -> bool:
        """Return whether a scraper said that the task is done."""
        return self.task.state is TaskState.CLAIMED and self.task.token == Settlement.DONE

    def is_refuted(self, facts: CycleFacts) -> bool:
        """Return whether the task was claimed to be done, and is still wanted by a later look."""
        claimed_at = self.task.at
        if self.task.state is not TaskState.CLAIMED or not self.is_decided or claimed_at is None:
            return False
        return claimed_at < facts.as_of


def standings(
    groups: Sequence[WantedGroup],
    outstanding: Iterable[OutstandingTask],
    facts: CycleFacts,
) -> tuple[list[Standing], list[str]]:
    """Return the tasks that stay, and the ids of those to withdraw: unreadable, or wanted by nothing."""
    kept: list[Standing] = []
    withdrawn: list[str] = []
    decided: list[tuple[OutstandingTask, TaskBody]] = []
    for task in outstanding:
        body = read_body(task)
        if body is None:
            withdrawn.append(task.id)
        elif facts.undecided(body):
            kept.append(Standing(task, body, -1, _none_of(body)))
        else:
            decided.append((task, body))
    homes = _homes(groups, [body for _, body in decided], facts.lake)
    for task, body in decided:
        if body.id in homes:
            kept.append(Standing(task, body, *homes[body.id]))
        else:
            withdrawn.append(task.id)
    return kept, withdrawn


def reworded(
    groups: Sequence[WantedGroup],
    standing: Sequence[Standing],
    lake: str,
) -> dict[str, Callable[[Priority], ScrapeTask]]:
    """Return, by id, how each decided task reads today at a given priority."""
    items = _items(groups, standing)
    return {one.task.id: _wording(lake, groups[one.home], one, items[one.task.id]) for one in standing}


def level_today(groups: Sequence[WantedGroup], one: Standing) -> Priority:
    """Return the highest level of a decided task's wanted keys, as its home group ranks them now."""
    group = groups[one.home]
    ranks = one.ranks[one.ranks >= 0] if group.keys is not None else np.zeros(1, dtype=np.int64)
    return Priority(int(group.priorities[ranks].min()))


def place_of(source: str, data_type: str, partition: Mapping[str, str]) -> Place:
    """Return where a group's or a task's keys belong."""
    return source, data_type, tuple(sorted(partition.items()))


def _wording(
    lake: str,
    group: WantedGroup,
    one: Standing,
    items: Sequence[Mapping[str, Any]],
) -> Callable[[Priority], ScrapeTask]:
    keys = one.wanted
    return lambda level: revised_task(lake, group, one.body, keys=keys, items=items, priority=level)


def _homes(
    groups: Sequence[WantedGroup],
    bodies: Sequence[TaskBody],
    lake: str,
) -> dict[str, tuple[int, Positions]]:
    """Return, by task id, the group that wants most of its keys and their ranks there (-1: not wanted)."""
    by_gap: dict[tuple[Place, Reason], list[int]] = defaultdict(list)
    homes: dict[str, tuple[int, Positions]] = {}
    keyless = {body.id: body for body in bodies if not body.keys}
    for index, group in enumerate(groups):
        if group.keys is not None:
            by_gap[place_of(group.source, group.data_type, group.partition), group.reason].append(index)
        elif keyless and (body := keyless.get(task_id(lake, group, ()))):
            homes[body.id] = index, _none_of(body)
    tasks: dict[tuple[Place, Reason], list[TaskBody]] = defaultdict(list)
    for body in bodies:
        tasks[place_of(body.source, body.data_type, body.partition), body.reason].append(body)
    for gap, members in tasks.items():
        for index in by_gap.get(gap, ()):
            for body, ranks in zip(members, _ranks(groups[index], members), strict=True):
                hits = np.count_nonzero(ranks >= 0)
                known = np.count_nonzero(homes[body.id][1] >= 0) if body.id in homes else 0
                if hits > known:
                    homes[body.id] = index, ranks
    return homes


def _ranks(group: WantedGroup, bodies: Sequence[TaskBody]) -> list[Positions]:
    """Return the ranks of each body's keys in ``group``, found in one look-up."""
    flat = [key for body in bodies for key in body.keys]
    if group.keys is None or not flat:
        return [_none_of(body) for body in bodies]
    ends = np.cumsum([len(body.keys) for body in bodies])
    return np.split(group.keys.positions_of(flat), ends[:-1])


def _items(groups: Sequence[WantedGroup], standing: Sequence[Standing]) -> dict[str, list[Mapping[str, Any]]]:
    """Return, by task id, the items of its wanted keys, decoded in one call a group."""
    by_home: dict[int, list[Standing]] = defaultdict(list)
    for one in standing:
        by_home[one.home].append(one)
    items: dict[str, list[Mapping[str, Any]]] = {}
    for home, members in by_home.items():
        keys = groups[home].keys
        wanted = [one.ranks[one.ranks >= 0] for one in members]
        flat = list(keys.items_at(np.concatenate(wanted))) if keys is not None else []
        start = 0
        for one, ranks in zip(members, wanted, strict=True):
            items[one.task.id] = flat[start : start + len(ranks)]
            start += len(ranks)
    return items


def _none_of(body: TaskBody) -> Positions:
    return np.full(len(body.keys), -1, dtype=np.int64)
