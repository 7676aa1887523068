"""A spider that recon asks for keys: ``SCRAPY_REDIS_URL=redis://localhost/1 scrapy runspider games.py``."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scrapy_redis.spiders import RedisSpider


class LakeFiles:
    """The pipeline: writes each page to its key in a lake that is a folder, whole or not at all."""

    def process_item(self, item):
        """Write one file."""
        file = Path(unquote(urlsplit(item["lake"]).path)) / item["key"]
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        part.write_bytes(item["body"])
        part.replace(file)
        return item


class Games(RedisSpider):
    """Takes its requests from ``games:start_urls``, and stays when there are none."""

    name = "games"
    custom_settings = {  # noqa: RUF012 - Scrapy's
        "ADDONS": {"recon_answers.ReconAnswers": 500},
        "ITEM_PIPELINES": {LakeFiles: 300},
        "REDIS_URL": os.environ["SCRAPY_REDIS_URL"],
        "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
    }

    def parse(self, response):
        """Make an item of one page."""
        asked = response.meta["recon"]
        yield {"key": asked["key"], "lake": asked["lake"], "body": response.body}
