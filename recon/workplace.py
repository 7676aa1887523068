"""Settings -> what ``recon work`` works with; and what it would run, without running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from recon.access import now
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases
from recon.adapters.scrapers import ScraperProcesses
from recon.core.invalid import did_you_mean
from recon.core.planned_runs import planned_runs
from recon.core.scraper import SPIDERS_REDIS, Scraper
from recon.core.tally import Tally
from recon.errors import ConfigError
from recon.masking import is_secret
from recon.queues import servers, task_queue
from recon.settings import Settings, scraper_environment
from recon.settings.address import spider_refusals
from recon.work import Shift, ShiftOptions

#: A secret of fewer characters would be found, and masked, in ordinary words.
_SECRET_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Workplace:
    """A shift that is ready to begin, and how to end what it runs at once."""

    shift: Shift
    kill: Callable[[], None]


@contextmanager
def workplace(
    chosen: Settings,
    names: Sequence[str],
    options: ShiftOptions,
    *,
    say: Callable[[str], None],
    show: Callable[[Tally], None],
) -> Iterator[Workplace]:
    """Yield a shift of the scrapers ``names`` (none: all); nothing that it runs outlives the block."""
    scrapers = chosen_scrapers(chosen, names)
    environment = scraper_environment()
    broker = _broker(chosen)
    try:
        with ScraperProcesses(environment, secret_texts=_secrets(environment, scrapers)) as processes:
            leases = RedisLeases(broker, prefix=chosen.queues.prefix)
            shift = Shift(leases, processes, scrapers, options, clock=now, say=say, show=show)
            yield Workplace(shift, processes.kill)
    finally:
        broker.close()


def planned(chosen: Settings, names: Sequence[str]) -> dict[str, Any]:
    """Return what the ready tasks would run, as JSON; nothing is leased."""
    scrapers = chosen_scrapers(chosen, names)
    broker = _broker(chosen)
    try:
        ready = RedisLeases(broker, prefix=chosen.queues.prefix).ready()
    finally:
        broker.close()
    return planned_runs(ready, scrapers, now())


def chosen_scrapers(chosen: Settings, names: Sequence[str]) -> Mapping[str, Scraper]:
    """Return the scrapers of those names, or all; raise ``ConfigError`` where there is nothing to run."""
    if chosen.task_queue.mode == "file":
        raise ConfigError("task_queue.mode is 'file': there are no queues to take tasks from; set it to both")
    if not chosen.scrapers:
        raise ConfigError(
            f"{chosen.config_path}: no scrapers are configured; recon work runs those under `scrapers:` "
            "(docs/scrapers.md)"
        )
    for name in names:
        if name not in chosen.scrapers:
            raise ConfigError(f"no scraper '{name}' is configured{did_you_mean(name, chosen.scrapers)}")
    scrapers = {name: one for name, one in chosen.scrapers.items() if not names or name in names}
    refused = [text for one in scrapers.values() for text in _spider_refusals(chosen, one)]
    if refused:
        raise ConfigError("\n".join(refused))
    return scrapers


def _spider_refusals(chosen: Settings, scraper: Scraper) -> Iterator[str]:
    if scraper.feed is None:
        return
    address = scraper.env.get(SPIDERS_REDIS) or scraper_environment().get(SPIDERS_REDIS, "")
    if not address:
        yield (
            f"{scraper.where}: {SPIDERS_REDIS} is not set; expected the Redis that the spider reads, such as "
            f"redis://localhost/1, in the environment or in this scraper's env"
        )
        return
    engines = (chosen.broker, chosen.queues_url)
    for text in spider_refusals(address, engines, insecure=chosen.queues.allow_insecure):
        yield f"{scraper.where}: {SPIDERS_REDIS}: {text}"


def _broker(chosen: Settings) -> RedisBroker:
    """Return the server of the queues; raise ``QueuesTakenError`` where they belong to another lake."""
    redis = servers(chosen)
    task_queue(chosen, redis).claim_lake()
    return redis.get("queues.url", redis["broker"])


def _secrets(environment: Mapping[str, str], scrapers: Mapping[str, Scraper]) -> tuple[str, ...]:
    """Return the values that no output of a scraper may carry on: those of variables named like secrets."""
    named = [*environment.items(), *(pair for scraper in scrapers.values() for pair in scraper.env.items())]
    found = {text for name, text in named if is_secret(name) and len(text) >= _SECRET_CHARACTERS}
    return tuple(sorted(found))
