"""The tasks of one lake without Redis, for ``task_queue.mode: file``: whoever works takes them from a file.

State name: ``queue.json``, ``{"lake", "tasks": [{"priority", "source", "body"}]}``. A task is always ready:
nobody pops one from here. The cycle lock keeps two writers apart; where one comes late all the same, the next
cycle puts the file right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from recon.errors import StateError
from recon.model import DeadTask, OutstandingTask, Priority, ScrapeTask, TickCounts

if TYPE_CHECKING:  # ports describe Arrow batches; who only looks at queues does without Arrow
    from recon.ports import StateStore, TaskResult

_NAME = "queue.json"
_Item = TypeVar("_Item")
_Tasks = dict[str, ScrapeTask]


class StateTaskQueue:
    """A ``TaskQueue`` in the state store; it knows no fence, since nobody but cycles writes to it."""

    def __init__(self, state: StateStore, *, lake: str) -> None:
        self._state = state
        self._lake = lake

    def claim_lake(self) -> None:
        """Do nothing: what another lake left in this state is not counted, and goes at the first write."""

    def outstanding(self, lake: str) -> list[OutstandingTask]:
        """Return this lake's tasks; ids ascend."""
        tasks = self._read().values() if lake == self._lake else ()
        return sorted(
            (OutstandingTask(task.id, task.priority, task.source, task.body) for task in tasks),
            key=lambda task: task.id,
        )

    def publish(self, tasks: Sequence[ScrapeTask], *, fence: int, observed_at: datetime) -> dict[str, str]:
        """Add tasks, or move them to their level; return id -> new, duplicate, moved or repaired."""
        del fence, observed_at
        return self._change({task.id: task for task in tasks}, _added)

    def revise(self, tasks: Sequence[ScrapeTask], *, fence: int) -> dict[str, str]:
        """Replace the bodies of tasks (the level stays); return id -> revised or gone."""
        del fence
        return self._change({task.id: task for task in tasks}, _revised)

    def withdraw(self, ids: Sequence[str], *, fence: int | None) -> dict[str, str]:
        """Take tasks out; return id -> withdrawn or unknown."""
        del fence
        return self._change(
            {ident: ident for ident in ids},
            lambda held, ident: "unknown" if held.pop(ident, None) is None else "withdrawn",
        )

    def tick(self) -> TickCounts:
        """Do nothing: no task of a file is ever out."""
        return TickCounts()

    def close(self, ids: Sequence[str]) -> dict[str, str]:
        """Return id -> gone: nobody claims tasks of a file."""
        return dict.fromkeys(ids, "gone")

    def reopen(self, tasks: Sequence[ScrapeTask], *, fence: int | None = None) -> dict[str, str]:
        """Return id -> gone: nobody claims tasks of a file."""
        del fence
        return {task.id: "gone" for task in tasks}

    def results(self, most: int) -> list[bytes]:
        """Return nothing: consumers of a file leave no results."""
        del most
        return []

    def settle(self, results: Sequence[TaskResult]) -> list[str]:
        """Return unknown for each: nobody has a task of a file."""
        return ["unknown" for _ in results]

    def turn(self, ttl_s: float) -> AbstractContextManager[bool]:
        """Give everybody a turn: the cycle lock keeps writers apart."""
        del ttl_s
        return nullcontext(enter_result=True)

    def collect(self, results: Sequence[bytes]) -> None:
        """Do nothing: there are no results."""
        del results

    def dead(self) -> list[DeadTask]:
        """Return nothing: no task of a file is given up."""
        return []

    def requeue(self, ids: Sequence[str]) -> dict[str, str]:
        """Return id -> ``ready`` or ``unknown``: every task is ready already."""
        held = self._read()
        return {ident: "ready" if ident in held else "unknown" for ident in ids}

    def depths(self) -> dict[Priority, int]:
        """Return how many tasks there are at each level."""
        counts = Counter(task.priority for task in self._read().values())
        return {level: counts[level] for level in Priority}

    def stats(self) -> dict[str, int]:
        """Return nothing: nobody counts what becomes of a file's tasks."""
        return {}

    def saved(self, timeout_s: float) -> None:
        """Do nothing: the state store has written a file when it returns."""
        del timeout_s

    def _change(self, items: Mapping[str, _Item], step: Callable[[_Tasks, _Item], str]) -> dict[str, str]:
        before = self._read()
        held = dict(before)
        outcomes = {ident: step(held, item) for ident, item in items.items()}
        if held != before:
            self._state.put(_NAME, _written(self._lake, held.values()))
        return outcomes

    def _read(self) -> _Tasks:
        content = self._state.get(_NAME)
        if content is None:
            return {}
        try:
            document = json.loads(content)
            if document["lake"] != self._lake:
                return {}
            return {task.id: task for task in map(_task, document["tasks"])}
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{_NAME} in the state cannot be read ({error}). Delete it: the next cycle makes it anew.",
            ) from error


def _added(held: _Tasks, task: ScrapeTask) -> str:
    before = held.get(task.id)
    held[task.id] = task
    if before is None:
        return "new"
    if before.priority is not task.priority:
        return "moved"
    return "duplicate" if before == task else "repaired"


def _revised(held: _Tasks, task: ScrapeTask) -> str:
    before = held.get(task.id)
    if before is None:
        return "gone"
    held[task.id] = ScrapeTask(task.id, before.priority, task.source, task.body)
    return "revised"


def _written(lake: str, tasks: Iterable[ScrapeTask]) -> bytes:
    entries = [
        {"priority": task.priority.label, "source": task.source, "body": task.body.decode("ascii")}
        for task in tasks
    ]
    return json.dumps({"lake": lake, "tasks": entries}).encode()


def _task(entry: Mapping[str, str]) -> ScrapeTask:
    body = entry["body"]
    ident = str(json.loads(body)["id"])
    return ScrapeTask(ident, Priority[entry["priority"].upper()], entry["source"], body.encode("ascii"))
