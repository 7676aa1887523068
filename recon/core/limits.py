"""How many tasks may be outstanding, and the books that say how many are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recon.core.task_body import WantedGroup
from recon.model import Priority


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may be outstanding: tasks per level and in all, and one source's share of a level.

    A source may hold more than ``max_share_per_source`` of a level's cap only while no other source wants
    it. A data type of which nothing was ever observed gets ``unproven_max`` tasks.
    """

    per_level: Mapping[Priority, int] = field(
        default_factory=lambda: {
            Priority.CRITICAL: 100,
            Priority.HIGH: 300,
            Priority.MEDIUM: 400,
            Priority.LOW: 200,
        },
    )
    in_all: int = 1000
    max_share_per_source: float = 0.5
    unproven_max: int = 5

    def share(self, level: Priority) -> int:
        """Return the tasks one source may hold at ``level`` while others want it too."""
        return max(1, int(self.per_level.get(level, 0) * self.max_share_per_source))


@dataclass(slots=True)
class Books:
    """What is outstanding, counted the ways the limits are said; ``contested`` levels are shared."""

    limits: QueueLimits
    levels: dict[Priority, int] = field(default_factory=dict)
    sources: dict[tuple[Priority, str], int] = field(default_factory=dict)
    types: dict[tuple[str, str], int] = field(default_factory=dict)
    contested: frozenset[Priority] = frozenset()

    def add(self, level: Priority, source: str, data_type: str, by: int = 1) -> None:
        """Count a task in (``by`` = 1) or out (-1)."""
        self.levels[level] = self.levels.get(level, 0) + by
        self.sources[level, source] = self.sources.get((level, source), 0) + by
        self.types[source, data_type] = self.types.get((source, data_type), 0) + by

    def move(self, old: Priority, new: Priority, source: str) -> None:
        """Count a task at another level."""
        self.levels[old] -= 1
        self.sources[old, source] -= 1
        self.levels[new] = self.levels.get(new, 0) + 1
        self.sources[new, source] = self.sources.get((new, source), 0) + 1

    @property
    def total(self) -> int:
        """Return the tasks outstanding at all levels."""
        return sum(self.levels.values())

    def room(self, level: Priority) -> int:
        """Return how many tasks more ``level`` takes, by its own cap."""
        return max(0, self.limits.per_level.get(level, 0) - self.levels.get(level, 0))

    def source_room(self, level: Priority, source: str) -> int:
        """Return how many tasks more ``source`` may have at ``level``."""
        if level not in self.contested:
            return self.room(level)
        return max(0, self.limits.share(level) - self.sources.get((level, source), 0))

    def type_room(self, group: WantedGroup) -> int | None:
        """Return how many tasks more an unproven data type may have; None for a proven one."""
        if group.proven:
            return None
        return max(0, self.limits.unproven_max - self.types.get((group.source, group.data_type), 0))

    def admits(self, level: Priority, group: WantedGroup) -> bool:
        """Return whether one more task of ``group`` fits at ``level``."""
        type_room = self.type_room(group)
        return (
            self.total < self.limits.in_all
            and self.room(level) > 0
            and self.source_room(level, group.source) > 0
            and (type_room is None or type_room > 0)
        )
