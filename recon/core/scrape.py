"""What to do with the scrapers' queues so that they hold the wanted work, once: gaps -> queue actions.

The plan is level-triggered: it looks at what is wanted now and at what is outstanding, never at what an
earlier plan did. Planned again over the queue it leads to, it publishes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recon.core.chunks import FreeRanks, Selection, selection
from recon.core.limits import Books, QueueLimits
from recon.core.standing import CycleFacts, Place, Standing, level_today, place_of, reworded, standings
from recon.core.task_body import MAX_BODY_BYTES, Positions, WantedGroup, new_tasks, task_id
from recon.model import OutstandingTask, ScrapeTask, TaskState


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """Actions in the order to carry them out; ``deferred`` and ``unproven`` count tasks that wait.

    ``moved`` tasks are published under their known id at another level; ``reopened`` ones were claimed to
    be done, and are not: those in ``said`` by their scraper's word, the others by its silence. An id may be
    withdrawn and published anew: its level was full when it had to sink. ``outstanding`` is what the queue
    then holds.
    """

    withdrawn: tuple[str, ...] = ()
    reopened: tuple[ScrapeTask, ...] = ()
    said: frozenset[str] = frozenset()
    revised: tuple[ScrapeTask, ...] = ()
    moved: tuple[ScrapeTask, ...] = ()
    published: tuple[ScrapeTask, ...] = ()
    deferred: int = 0
    unproven: int = 0
    outstanding: int = 0


@dataclass(slots=True)
class _Placement:
    """What becomes of the tasks that are (again) in a list: moved, worded anew, or crowded out."""

    moved: list[ScrapeTask]
    revised: list[ScrapeTask]
    crowded_out: list[str]


def queue_plan(
    groups: Sequence[WantedGroup],
    outstanding: Iterable[OutstandingTask],
    limits: QueueLimits,
    facts: CycleFacts,
) -> QueuePlan:
    """Return the actions that make the queue hold what ``groups`` want, within ``limits``.

    No key is ever in two outstanding tasks. A task none of whose keys is wanted is withdrawn; a partly
    filled one loses keys while it is ready; an undecided one is left alone. ``outstanding`` is a
    snapshot: where a revision finds its task popped meanwhile, plan again before publishing.
    """
    kept, withdrawn = standings(groups, outstanding, facts)
    ready = [one for one in kept if one.is_decided and one.task.is_ours]
    books = Books(limits)
    for one in kept:
        if one.task.state is not TaskState.CLAIMED:
            books.add(one.task.priority, one.task.source, one.body.data_type)
    placed = _placement(groups, ready, books, facts.lake)
    refuted = [one for one in kept if one.is_refuted(facts)]
    reopened = _reopened(groups, refuted, books, facts.lake)
    back = {task.id for task in reopened}
    placed.crowded_out += [one.task.id for one in refuted if one.task.id not in back]
    crowded_out = set(placed.crowded_out)
    kept = [one for one in kept if one.task.id not in crowded_out]

    held = _held_keys(kept, {one.task.id for one in ready} | back)
    free = _free_ranks(groups, kept, held, facts.lake)
    seen = {(source, data_type, key) for (source, data_type, _), keys in held.items() for key in keys}
    published: list[ScrapeTask] = []
    crowded = 0
    # What one round publishes fills some limits and not others: what then still fits comes in the next round.
    while (chosen := selection(groups, free, books)).chosen:
        made, done = _published(groups, chosen, books, facts.lake, seen)
        published += made
        crowded += len(chosen.chosen) - done
        free = _less(free, chosen)
    return QueuePlan(
        withdrawn=(*withdrawn, *placed.crowded_out),
        reopened=tuple(reopened),
        said=frozenset(one.task.id for one in refuted if one.task.id in back and one.is_said),
        revised=tuple(placed.revised),
        moved=tuple(placed.moved),
        published=tuple(published),
        deferred=chosen.chunks - chosen.unproven + crowded,
        unproven=chosen.unproven,
        outstanding=books.total,
    )


def _placement(
    groups: Sequence[WantedGroup],
    ready: Sequence[Standing],
    books: Books,
    lake: str,
) -> _Placement:
    """Return where the tasks in the lists belong today, and move them in ``books``.

    Each move needs room at its level when it is carried out. Where none is left, a sinking task leaves (its
    keys wait with the deferred ones, and a more urgent level is free again); a rising one waits.
    """
    wording = reworded(groups, ready, lake)
    placement = _Placement([], [], [])
    levels = {one.task.id: level_today(groups, one) for one in ready}
    pending = [one for one in ready if levels[one.task.id] != one.task.priority]
    # Sinking ones first, the lowest before the others: each makes room where it was.
    pending.sort(key=lambda one: (levels[one.task.id] < one.task.priority, -levels[one.task.id]))
    while pending:
        stuck = []
        for one in pending:
            level = levels[one.task.id]
            if books.room(level) > 0:
                books.move(one.task.priority, level, one.task.source)
                placement.moved.append(wording[one.task.id](level))
            else:
                stuck.append(one)
        if len(stuck) == len(pending):
            leaver = stuck[0]
            if levels[leaver.task.id] < leaver.task.priority:
                break
            books.add(leaver.task.priority, leaver.task.source, leaver.body.data_type, by=-1)
            placement.crowded_out.append(stuck.pop(0).task.id)
        pending = stuck
    settled = [one for one in ready if levels[one.task.id] == one.task.priority]
    for one in (*settled, *pending):
        today = wording[one.task.id](one.task.priority)
        if today.body != one.task.body and len(today.body) <= MAX_BODY_BYTES:
            placement.revised.append(today)
    return placement


def _reopened(
    groups: Sequence[WantedGroup], refuted: Sequence[Standing], books: Books, lake: str
) -> list[ScrapeTask]:
    """Return tasks that were falsely claimed to be done, as they are wanted now, as far as there is room."""
    wording = reworded(groups, refuted, lake)
    reopened = []
    for one in refuted:
        level = level_today(groups, one)
        if books.room(level) > 0:
            books.add(level, one.task.source, one.body.data_type)
            reopened.append(wording[one.task.id](level))
    return reopened


def _held_keys(kept: Sequence[Standing], in_lists: set[str]) -> dict[Place, list[str]]:
    """Return the keys that outstanding tasks hold after the plan, by where they belong."""
    held: dict[Place, list[str]] = defaultdict(list)
    for one in kept:
        keys = one.wanted if one.task.id in in_lists else one.body.keys
        held[place_of(one.body.source, one.body.data_type, one.body.partition)] += keys
    return held


def _free_ranks(
    groups: Sequence[WantedGroup],
    kept: Sequence[Standing],
    held: Mapping[Place, Sequence[str]],
    lake: str,
) -> list[FreeRanks]:
    """Return, for each group, the ranks that no outstanding task holds."""
    out = {one.task.id for one in kept if not one.body.keys}
    free: list[FreeRanks] = []
    for group in groups:
        blocked = np.empty(0, dtype=np.int64)
        keys = held.get(place_of(group.source, group.data_type, group.partition), ())
        if group.keys is not None and keys:
            ranks = np.unique(group.keys.positions_of(keys))
            blocked = ranks[ranks >= 0]
        elif group.keys is None and out and task_id(lake, group, ()) in out:
            blocked = np.zeros(1, dtype=np.int64)
        free.append(FreeRanks(len(group.priorities), blocked))
    return free


def _less(free: Sequence[FreeRanks], chosen: Selection) -> list[FreeRanks]:
    """Return the free ranks without the chosen ones."""
    taken: dict[int, list[Positions]] = defaultdict(list)
    for index, ranks in chosen.chosen:
        taken[index].append(ranks)
    left = list(free)
    for index, chunks in taken.items():
        blocked = np.union1d(free[index].blocked, np.concatenate(chunks))
        left[index] = FreeRanks(free[index].size, blocked)
    return left


def _published(
    groups: Sequence[WantedGroup],
    chosen: Selection,
    books: Books,
    lake: str,
    seen: set[tuple[str, str, str]],
) -> tuple[list[ScrapeTask], int]:
    """Return the new tasks, charged to ``books``, and how many chunks they settle.

    ``seen`` holds every key that is out: the last word on "never twice", whatever partition a key was
    published under.
    """
    decoded = _decoded(groups, chosen)
    tasks: list[ScrapeTask] = []
    done = 0
    for (index, ranks), (keys, items) in zip(chosen.chosen, decoded, strict=True):
        group = groups[index]
        names = [(group.source, group.data_type, key) for key in keys]
        fresh = [at for at, name in enumerate(names) if name not in seen]
        if group.keys is not None and not fresh:
            done += 1
            continue
        made = new_tasks(
            lake,
            group,
            [keys[at] for at in fresh],
            [items[at] for at in fresh],
            group.priorities[ranks[fresh] if group.keys is not None else ranks].tolist(),
        )
        fitting = [task for task in made if _charged(books, task, group)]
        tasks += fitting
        seen.update(names[at] for at in fresh)
        done += len(fitting) == len(made)
    return tasks, done


def _charged(books: Books, task: ScrapeTask, group: WantedGroup) -> bool:
    """Charge ``books`` if one more task fits; a chunk may have become several tasks, or changed its level."""
    fits = books.admits(task.priority, group)
    if fits:
        books.add(task.priority, group.source, group.data_type)
    return fits


def _decoded(
    groups: Sequence[WantedGroup], chosen: Selection
) -> list[tuple[list[str], list[Mapping[str, Any]]]]:
    """Return the keys and items of each chosen chunk, decoded in one call a group."""
    by_group: dict[int, list[int]] = defaultdict(list)
    for at, (index, _) in enumerate(chosen.chosen):
        by_group[index].append(at)
    decoded: list[tuple[list[str], list[Mapping[str, Any]]]] = [([], []) for _ in chosen.chosen]
    for index, members in by_group.items():
        wanted = groups[index].keys
        if wanted is None:
            continue
        ranks: Positions = np.concatenate([chosen.chosen[at][1] for at in members])
        keys, items = list(wanted.keys_at(ranks)), list(wanted.items_at(ranks))
        start = 0
        for at in members:
            end = start + len(chosen.chosen[at][1])
            decoded[at] = keys[start:end], items[start:end]
            start = end
    return decoded
