"""The tasks that a consumer has: those it works on, and those it has not begun."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Generic, TypeVar

from recon.model import Lease
from recon.sdk.leased import LeasedTask

TaskT = TypeVar("TaskT", bound=LeasedTask)


class Hand(Generic[TaskT]):
    """Tasks by their leases; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tasks: dict[Lease, TaskT] = {}
        self._ahead: deque[TaskT] = deque()

    def take_in(self, tasks: Sequence[TaskT]) -> None:
        """Add tasks that were just leased."""
        with self._lock:
            self._tasks.update({task.lease: task for task in tasks})
            self._ahead.extend(tasks)

    def begin(self) -> TaskT | None:
        """Return the next task that was not begun, if any."""
        with self._lock:
            return self._ahead.popleft() if self._ahead else None

    def let_go(self, task: TaskT) -> None:
        """Remove a task whose lease is over."""
        with self._lock:
            self._tasks.pop(task.lease, None)

    def tasks(self) -> list[TaskT]:
        """Return every task at hand."""
        with self._lock:
            return list(self._tasks.values())

    def put_down(self) -> list[TaskT]:
        """Remove and return the tasks that were not begun."""
        with self._lock:
            ahead = list(self._ahead)
            self._ahead.clear()
            for task in ahead:
                self._tasks.pop(task.lease, None)
            return ahead
