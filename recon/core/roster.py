"""Which scrapers may start a run now: limits on runs and items at once, and rates that count items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recon.core.scraper import Scraper


@dataclass(slots=True)
class _Station:
    scraper: Scraper
    runs: int = 0
    items: int = 0
    next_at_s: float = float("-inf")


class Roster:
    """Keeps count of what runs; ``now_s`` is any clock that does not go back.

    A rate lets a run start when the items of those before it are paid for: it may be as large as it is, and
    the next one waits for it. So the mean never exceeds the rate, and no run is too large to start.
    """

    def __init__(self, scrapers: Iterable[Scraper], jobs: int) -> None:
        """Take the scrapers, and how many runs there may be at once over all of them."""
        self._stations = {scraper.name: _Station(scraper) for scraper in scrapers}
        self._jobs = jobs

    @property
    def running(self) -> int:
        """Return how many runs there are."""
        return sum(station.runs for station in self._stations.values())

    @property
    def free(self) -> int:
        """Return how many runs may start over all scrapers."""
        return max(0, self._jobs - self.running)

    def slots(self, now_s: float) -> dict[str, int]:
        """Return how many runs each scraper may start now, of those that may start any."""
        slots = {name: self._slots(station, now_s) for name, station in self._stations.items() if self.free}
        return {name: number for name, number in slots.items() if number}

    @staticmethod
    def _slots(station: _Station, now_s: float) -> int:
        """Return how many runs of a scraper may start now; after one, a rate has its word again."""
        scraper = station.scraper
        if now_s < station.next_at_s or station.runs >= scraper.concurrency:
            return 0
        if scraper.items_at_once is not None and station.items >= scraper.items_at_once:
            return 0
        paced = scraper.items_per_minute is not None or scraper.min_delay_s > 0
        return 1 if paced else scraper.concurrency - station.runs

    def admits(self, name: str, items: int, now_s: float) -> bool:
        """Tell whether a run of so many items may start; one may be larger than ``concurrent`` when alone."""
        station = self._stations[name]
        most = station.scraper.items_at_once
        fits = most is None or not station.items or station.items + items <= most
        return bool(self.free) and self._slots(station, now_s) > 0 and fits

    def started(self, name: str, items: int, now_s: float) -> None:
        """Count a run that starts."""
        station = self._stations[name]
        station.runs += 1
        station.items += items
        rate = station.scraper.items_per_minute
        paid_at = max(station.next_at_s, now_s) + (items * 60 / rate if rate else 0.0)
        station.next_at_s = max(paid_at, now_s + station.scraper.min_delay_s)

    def ended(self, name: str, items: int) -> None:
        """Count a run that is over."""
        station = self._stations[name]
        station.runs -= 1
        station.items -= items

    def next_at_s(self, now_s: float) -> float | None:
        """Return when the next rate lets a run start; None where no rate is in the way."""
        waits = [one.next_at_s for one in self._stations.values() if one.next_at_s > now_s]
        return min(waits, default=None)
