"""Tells recon what became of the keys that it asked a spider for. Copy this file into your Scrapy project.

Settings: ``ADDONS = {"recon_answers.ReconAnswers": 500}``. A key is done when an item of its page has passed
every pipeline (so a pipeline writes the file), absent when the page answers 404 or 410 (or another of
``RECON_ABSENT_STATUSES``), or when a callback or a pipeline raises ``Absent``; anything else that ends it is
a failure. Requests that a callback makes carry ``meta={"recon": response.meta["recon"]}`` on.
"""

from __future__ import annotations

import json

from scrapy import signals
from scrapy.exceptions import DropItem
from scrapy.spidermiddlewares.httperror import HttpError

#: Seconds that an answer is kept for a worker that may be gone.
KEPT_S = 86_400


class Absent(DropItem):
    """Raise it where the site says that there is no such thing; the message is kept as evidence."""


class ReconAnswers:
    """The add-on: enables what follows."""

    def update_settings(self, settings) -> None:
        """Add the middleware next to the spider, and farthest from the downloader: after its retries."""
        settings["EXTENSIONS"][ItemAnswers] = 0
        settings["SPIDER_MIDDLEWARES"][PageAnswers] = 950
        settings["DOWNLOADER_MIDDLEWARES"][PageAnswers] = 50


class _Answers:
    def __init__(self, crawler) -> None:
        self.crawler = crawler
        self.absent = [int(one) for one in crawler.settings.getlist("RECON_ABSENT_STATUSES", [404, 410])]

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    def tell(self, request, status: str, words: object = "") -> None:
        asked = getattr(request, "meta", {}).get("recon")
        if asked is None:
            return
        field = {"absent": "evidence", "failed": "error"}.get(status, "said")
        answer = {"key": asked["key"], "status": status, field: str(words)[:500]}
        pipe = self.crawler.spider.server.pipeline()
        pipe.rpush(asked["answers"], json.dumps(answer))
        pipe.expire(asked["answers"], KEPT_S)
        pipe.execute()

    def tell_error(self, request, error: BaseException) -> None:
        if isinstance(error, HttpError):
            status = error.response.status
            said = f"{status} from {error.response.url}"
            self.tell(request, "absent" if status in self.absent else "failed", said)
        elif isinstance(error, Absent):
            self.tell(request, "absent", error)
        else:
            self.tell(request, "failed", f"{type(error).__name__}: {error}")


class PageAnswers(_Answers):
    """Answers for pages that never become an item."""

    def process_exception(self, request, exception) -> None:
        """Tell of a download that failed for good."""
        self.tell_error(request, exception)

    def process_spider_exception(self, response, exception):
        """Tell of a page that is no success, and of a callback that raised."""
        self.tell_error(response, exception)
        return [] if isinstance(exception, Absent) else None

    async def process_spider_output(self, response, result):
        """Tell of a callback that made neither an item nor a request."""
        made = False
        async for one in result:
            made = True
            yield one
        if not made:
            self.tell(response, "failed", f"the spider made nothing of {response.url}")


class ItemAnswers(_Answers):
    """Answers for items, after the last pipeline."""

    @classmethod
    def from_crawler(cls, crawler):
        """Listen to what becomes of items."""
        made = cls(crawler)
        crawler.signals.connect(made.scraped, signals.item_scraped)
        crawler.signals.connect(made.dropped, signals.item_dropped)
        crawler.signals.connect(made.broke, signals.item_error)
        return made

    def scraped(self, response) -> None:
        """Tell that a key's item has passed every pipeline."""
        self.tell(response, "done")

    def dropped(self, response, exception) -> None:
        """Tell that a pipeline dropped a key's item."""
        self.tell_error(response, exception)

    def broke(self, response, failure) -> None:
        """Tell that a pipeline failed."""
        self.tell_error(response, failure.value)
