"""The scrapers of recon.yaml, with the defaults applied and their places in the file."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from recon.core.breaker import BreakerRule
from recon.core.command_template import Argument, parse_command, parse_url
from recon.core.scraper import Per, Scraper, SpiderFeed
from recon.settings.sections import ScraperDefaultsSection, ScraperSection, SettingsShape
from recon.strict_yaml import Document, KeyPath

#: Asks a spider for the requests of a file, and waits for what it says.
_ASK = (sys.executable, "-m", "recon.adapters.spider_feed")


def scrapers(shape: SettingsShape, document: Document, cwd: Path) -> dict[str, Scraper]:
    """Return the declared scrapers by name; a folder of theirs is relative to ``cwd``."""
    return {
        name: _scraper(name, section, shape.scrapers_defaults, document, cwd)
        for name, section in shape.scrapers.items()
    }


def _scraper(
    name: str, section: ScraperSection, defaults: ScraperDefaultsSection, document: Document, cwd: Path
) -> Scraper:
    path = ("scrapers", name)
    breaker = section.breaker or defaults.breaker
    command, places, feed = _command(section, document, path)
    return Scraper(
        name=name,
        where=document.where(path, key=True),
        command=command,
        places=places,
        feed=feed,
        per=Per(section.per),
        map=section.map,
        days_back_max=section.limits.days_back,
        items_max=section.limits.items,
        cwd=str((cwd / (section.cwd or ".")).resolve()),
        env=section.env,
        timeout_s=section.timeout_s or defaults.timeout_s,
        concurrency=section.concurrency or defaults.concurrency,
        items_per_minute=section.rate.items_per_minute,
        items_at_once=section.rate.concurrent,
        min_delay_s=section.rate.min_delay_s or 0.0,
        breaker=BreakerRule(breaker.refuted_in_row, timedelta(seconds=breaker.probe_after_s)),
    )


def _command(
    section: ScraperSection, document: Document, path: KeyPath
) -> tuple[tuple[Argument, ...], tuple[str, ...], SpiderFeed | None]:
    """Return a scraper's command, where its arguments stand, and the spider that it asks, if any."""
    if section.scrapy is None:
        texts = section.command or ()
        places = tuple(document.where((*path, "command", number)) for number in range(len(texts)))
        return parse_command(texts), places, None
    where = document.where((*path, "scrapy", "url"))
    feed = SpiderFeed(section.scrapy.spider, parse_url(section.scrapy.url), where)
    spider = section.scrapy.spider.replace("{", "{{").replace("}", "}}")
    command = parse_command([*_ASK, spider, "{keys_file}", "{result_file}"])
    return command, (where,) * len(command), feed
