"""What a spider is asked for: one request of scrapy-redis for each key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from recon.core.command_values import Work, filled
from recon.core.scraper import Per, Scraper, SpiderFeed


def request_url(feed: SpiderFeed, scraper: Scraper, work: Work, now: datetime) -> str:
    """Return the URL for one key; raise ``NoValueError`` where a placeholder has no value."""
    return filled(feed.url, replace(scraper, per=Per.ITEM), work, now, lambda text: quote(text, safe=""))


def requests(scraper: Scraper, works: Iterable[Work], now: datetime) -> Iterator[str]:
    """Yield a request for each key, as scrapy-redis reads it from its list of start URLs.

    Whatever stood beside ``url``, ``method`` and ``meta`` would become form data there. None without a feed.
    """
    feed = scraper.feed
    if feed is None:
        return
    for work in works:
        document = work.task.document
        about = {name: document.get(name) for name in ("id", "lake", "source", "data_type", "reason")}
        for one in _by_key(work):
            url = request_url(feed, scraper, one, now)
            asked = {**about, "key": one.keys[0]}
            yield json.dumps({"url": url, "method": "GET", "meta": {"recon": asked}})


def _by_key(work: Work) -> Iterator[Work]:
    if len(work.keys) != len(work.items):
        yield from (Work(work.task, (key,), ()) for key in work.keys)
        return
    for key, item in zip(work.keys, work.items, strict=True):
        yield Work(work.task, (key,), (item,))
