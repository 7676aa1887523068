"""Asks a Scrapy spider for keys, and waits until each is answered: ``python -m … SPIDER REQUESTS RESULTS``.

The command of a scraper with ``scrapy`` in recon.yaml. It owns the list ``SPIDER:recon:…`` of one run, where
the spider answers, and pushes to ``SPIDER:start_urls``, where scrapy-redis takes its requests: JSON only.
What it reads may come from anybody who reaches that Redis, and is never more than a claim.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

import redis

from recon.core.run_outcome import key_claims
from recon.core.scraper import SPIDERS_REDIS

#: Seconds until a signal is noticed at the latest; recon work waits five for the end.
_STEP_S = 1
_PATIENCE_S = 10.0


class SpiderFeed:
    """One run's requests to a spider, and the answers that are still to come."""

    def __init__(self, client: redis.Redis, spider: str, requests: Iterable[str]) -> None:
        self._client = client
        self._start_urls = f"{spider}:start_urls"
        self._answers = f"{spider}:recon:{secrets.token_hex(8)}"
        self.waiting: dict[str, str] = {}
        for line in requests:
            request = json.loads(line)
            about = request["meta"]["recon"]
            about["answers"] = self._answers
            self.waiting[about["key"]] = json.dumps(request)

    def ask(self) -> None:
        """Hand every request to the spider."""
        self._client.rpush(self._start_urls, *self.waiting.values())

    def hear(self, results: TextIO) -> None:
        """Wait a moment for an answer, and write it down; the first one for a key counts."""
        answer = self._client.blpop([self._answers], timeout=_STEP_S)
        if answer is None:
            return
        for key, said in key_claims(str(answer[1])).items():
            if self.waiting.pop(key, None) is not None:
                words = {"evidence": said.words, "error": said.words}
                results.write(json.dumps({"key": key, "status": said.status.value, **words}) + "\n")
                results.flush()

    def withdraw(self) -> int:
        """Take back what the spider has not taken yet; return how many requests that were."""
        taken_back = self._client.pipeline()
        for request in self.waiting.values():
            taken_back.lrem(self._start_urls, 1, request)
        taken_back.delete(self._answers)
        return sum(taken_back.execute()[:-1])


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Ask and wait; end with status 0 when every key was answered, else with 1 and why on stderr."""
    spider, requests, results = arguments
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    try:
        client = redis.Redis.from_url(
            environment[SPIDERS_REDIS],
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            decode_responses=True,
            encoding_errors="replace",
        )
        feed = SpiderFeed(client, spider, Path(requests).read_text(encoding="utf-8").splitlines())
        asked = len(feed.waiting)
        try:
            feed.ask()
            with Path(results).open("a", encoding="utf-8") as file:
                while feed.waiting and not stops:
                    feed.hear(file)
        finally:
            left = feed.withdraw()
    except redis.RedisError as error:
        raise SystemExit(f"{SPIDERS_REDIS}: {error}; is that Redis up?") from error
    if feed.waiting:
        untaken = f"; {left} were still on {spider}:start_urls: is the spider running?" if left else ""
        raise SystemExit(f"{len(feed.waiting)} of {asked} keys were not answered{untaken}")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
