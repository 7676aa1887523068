"""Queues on a real Valkey, a local lake, and a worker over both: shifts run here step by step."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from redis_servers import RedisServer
from scraper_tasks import body_text, scraper

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases, RedisTaskQueue
from recon.adapters.scrapers import ScraperProcesses
from recon.core.scraper import Scraper
from recon.core.tally import Tally
from recon.model import OutstandingTask, Priority, ScrapeTask, TaskState
from recon.work import Shift, ShiftOptions

LAKE = "file:///lake"
GRACE_S = 0.5
VISIBILITY_S = 30.0
PATIENCE_S = 40.0
LONG_AFTER = datetime(2100, 1, 1, tzinfo=UTC)
#: Writes every key of its file into the lake.
FILL = """
import pathlib, sys
for key in open(sys.argv[1], encoding="utf-8").read().splitlines():
    file = pathlib.Path(sys.argv[2]) / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
"""
QUIET = ShiftOptions(VISIBILITY_S, once=True)


def wait_for(what: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    give_up_at = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


class WorkPlace:
    """Queues with tasks, and the sentences that workers said."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.client = server.client
        self.broker = RedisBroker.connect(server.url)
        self.queue = RedisTaskQueue(self.broker, lake=LAKE, visibility_s=VISIBILITY_S)
        self.leases = RedisLeases(self.broker)
        self.folder = folder
        self.lake = folder / "lake"
        self.said: list[str] = []
        self.grace_s = GRACE_S

    def put(self, items: Sequence[dict[str, Any]] = ({"g": "1"},), level: str = "high", **fields: Any) -> str:
        """Queue a task; return its id."""
        keys = fields.pop("keys", [f"{item.get('g', number)}.json" for number, item in enumerate(items)])
        body = body_text(items=list(items), keys=keys, priority=level, lake=LAKE, **fields)
        document = json.loads(body)
        made = ScrapeTask(document["id"], Priority[level.upper()], document["source"], body)
        assert self.queue.publish([made], fence=1, observed_at=LONG_AFTER) == {made.id: "new"}
        return made.id

    def end_lease(self, task: str) -> None:
        """Have a task's lease end now, though a heartbeat may come between."""

        def has_ended() -> bool:
            self.client.zadd("recon:q:lease", {task: 1}, xx=True)
            self.queue.tick()
            return self.states()[task] is TaskState.COOLING

        wait_for(has_ended)

    def filler(self, **settings: Any) -> Scraper:
        """Return a scraper that fills the lake."""
        return scraper(sys.executable, "-c", FILL, "{keys_file}", str(self.lake), **settings)

    def sh(self, script: str, *values: str, **settings: Any) -> Scraper:
        """Return a scraper that is a shell script with ``$1`` … from ``values``, run in the folder."""
        return scraper("sh", "-c", script, "sh", *values, cwd=str(self.folder), **settings)

    @contextmanager
    def shift(self, *scrapers: Scraper, **options: Any) -> Iterator[Shift]:
        with ScraperProcesses({"PATH": os.environ["PATH"]}, grace_s=self.grace_s) as processes:
            yield Shift(
                self.leases,
                processes,
                {one.name: replace(one, cwd=str(self.folder)) for one in scrapers},
                replace(QUIET, **options),
                clock=lambda: datetime.now(UTC),
                say=self.said.append,
                show=lambda _: None,
            )

    def work(self, *scrapers: Scraper, **options: Any) -> Tally:
        """Work until the queues are empty."""
        with self.shift(*scrapers, **options) as shift:
            return shift.work()

    @contextmanager
    def working(self, *scrapers: Scraper, **options: Any) -> Iterator[tuple[Shift, Callable[[], Tally]]]:
        """Yield a shift at work until it is stopped, and what waits for its end."""
        told: SimpleQueue[Any] = SimpleQueue()

        def work() -> None:
            try:
                told.put(shift.work())
            except Exception as error:  # noqa: BLE001 - handed over to the test
                told.put(error)

        def result() -> Tally:
            found = told.get(timeout=PATIENCE_S)
            if isinstance(found, Exception):
                raise found
            return found

        with self.shift(*scrapers, once=False, **options) as shift:
            worker = Thread(target=work)
            worker.start()
            try:
                yield shift, result
            finally:
                shift.stop()
                worker.join(PATIENCE_S)

    def outstanding(self) -> dict[str, OutstandingTask]:
        return {task.id: task for task in self.queue.outstanding(LAKE)}

    def states(self) -> dict[str, TaskState]:
        return {name: task.state for name, task in self.outstanding().items()}

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.queue.results(1000)]

    def filled(self) -> set[str]:
        return {file.relative_to(self.lake).as_posix() for file in self.lake.rglob("*") if file.is_file()}

    def lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []
