"""A configured scraper: the command that ``recon work`` runs for tasks, and how much of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from recon.core.breaker import BreakerRule
from recon.core.command_template import Argument

#: The variable that names the Redis of spiders; never the engine's own.
SPIDERS_REDIS = "SCRAPY_REDIS_URL"
#: Type (or ``source.type``) -> values, of one name of ``map``.
TypeValues = Mapping[str, tuple[str, ...]]


class Per(StrEnum):
    """What one run is for."""

    TASK = "task"
    ITEM = "item"
    PARTITION = "partition"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SpiderFeed:
    """A Scrapy spider that is asked for keys, one request each.

    ``place`` is where ``url`` stands in recon.yaml.
    """

    spider: str
    url: Argument
    place: str


@dataclass(frozen=True, slots=True)
class Scraper:
    """One scraper of ``scrapers:``, with the defaults applied.

    ``places`` are where its arguments stand in recon.yaml. ``days_back_max`` and ``items_max`` are its
    limits. ``concurrency`` bounds its runs at once, ``items_at_once`` the items in them; ``min_delay_s`` lies
    between the starts of two runs. With ``feed``, its command hands requests for its keys to a spider.
    """

    name: str
    where: str
    command: tuple[Argument, ...]
    places: tuple[str, ...]
    per: Per = Per.TASK
    map: Mapping[str, TypeValues] = field(default_factory=dict)
    days_back_max: int | None = None
    items_max: int | None = None
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 900.0
    concurrency: int = 1
    items_per_minute: float | None = None
    items_at_once: int | None = None
    min_delay_s: float = 0.0
    breaker: BreakerRule = field(default_factory=BreakerRule)
    feed: SpiderFeed | None = None

    def mapped(self, name: str, source: str, data_type: str) -> tuple[str, ...]:
        """Return what ``map`` names for a data type; () where it does not."""
        values = self.map.get(name, {})
        return values.get(f"{source}.{data_type}") or values.get(data_type) or ()
