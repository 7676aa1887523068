"""What ``recon work`` has done so far, by scraper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

#: Held tasks that are remembered.
HELD_MAX = 1000


@dataclass(slots=True)
class ScraperTally:
    """One scraper's counts: runs, the tasks they came to, and the keys said to be done.

    ``released`` tasks were given back unfinished, ``held`` ones lack a value, ``gone`` ones were taken away
    while they ran, ``poison`` ones could not be read.
    """

    running: int = 0
    runs: int = 0
    done: int = 0
    failed: int = 0
    absent: int = 0
    released: int = 0
    held: int = 0
    gone: int = 0
    poison: int = 0
    keys: int = 0


@dataclass(slots=True)
class Tally:
    """Counts by scraper, why scrapers could not be started, and why tasks were held."""

    scrapers: dict[str, ScraperTally] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> ScraperTally:
        """Return the counts of one scraper."""
        return self.scrapers.setdefault(name, ScraperTally())

    def hold(self, name: str, task_id: str, why: str) -> bool:
        """Count a held task; return whether that is news."""
        if self.held.get(task_id) == why:
            return False
        if task_id not in self.held:
            self.of(name).held += 1
        self.held[task_id] = why
        if len(self.held) > HELD_MAX:
            del self.held[next(iter(self.held))]
        return True

    def document(self) -> dict[str, Any]:
        """Return everything as JSON."""
        counts = {name: asdict(one) for name, one in sorted(self.scrapers.items())}
        for one in counts.values():
            del one["running"]
        return {
            "schema": "recon.work/1",
            "totals": _totals(counts.values()),
            "scrapers": counts,
            "held": dict(sorted(self.held.items())),
            "unable": dict(sorted(self.unable.items())),
        }


def _totals(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    totals = asdict(ScraperTally())
    del totals["running"]
    for one in counts:
        for name, number in one.items():
            totals[name] += number
    return totals
