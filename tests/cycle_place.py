"""A lake on a misbehaving S3 server, a state, and queues on a real server: cycles run here step by step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from declared import dataset, inventory
from s3_server import S3Server, use_credentials

from recon import cycle
from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.ledger import RedisLedger
from recon.adapters.local_lister import LocalLister
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.adapters.s3 import S3Lister
from recon.adapters.s3.retry import Patience
from recon.adapters.state_store import MemoryStateStore
from recon.aws_reports import ReportPlace
from recon.core.inventory import Inventory
from recon.cycle import Ports
from recon.plan import Options

LAKE = "s3://lake"
VISIBILITY_S = 0.2
DIMENSIONS = {"season": {"seasons": "2019-20..2025-26"}, "n": {"integers": "0..29", "width": 3}}
DECLARED = inventory(
    dataset("box/{season}/{n}.json", name="nba.box"),
    dataset("odds/{n}.csv", name="odds.lines"),
    dataset("many/{season}/{part}.bin", name="nba.many", expected_per=("season", 2)),
    dimensions=DIMENSIONS,
)
SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(2019, 2026)]
BOX = [f"box/{season}/{n:03d}.json" for season in SEASONS for n in range(30)]
ODDS = [f"odds/{n:03d}.csv" for n in range(30)]
MANY = [f"many/{season}/{part}.bin" for season in SEASONS for part in "ab"]
GONE = {*BOX[::9], *ODDS[::5]}
OBJECTS = [*BOX, *ODDS, *MANY, "box/odd  key+%2F.json", "box//x", "odds/é\n"]
COUNTER = itertools.count()


def now() -> datetime:
    return datetime.now(UTC)


class Place:
    """One lake on a misbehaving S3 server, one state, one queue."""

    def __init__(self, server: S3Server, broker: RedisBroker, reports: Path | None = None) -> None:
        self.server = server
        self.declared: Inventory = DECLARED
        self.reports: ReportPlace | None = None
        self.ledger = RedisLedger(broker)
        self.queue = RedisTaskQueue(broker, lake=LAKE, visibility_s=VISIBILITY_S)
        patience = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.01, read_s=1.0)
        lister = S3Lister("lake", endpoint_url=server.url, region="us-east-1", patience=patience)
        self.outputs = MemoryStateStore()
        local = LocalLister(reports) if reports else None
        files = AwsReportFiles(lister, lister.report_filter) if local is None else AwsReportFiles(local)
        self.ports = Ports(lister, MemoryStateStore(), self.outputs, self.queue, now, lambda: files)
        self.options = Options(LAKE, connections=4)

    def cycle(self, *, scans: int = 1, **options: object) -> dict:
        cycle_id = f"cycle-{next(COUNTER):06d}"
        fence = self.ledger.acquire(cycle_id)
        try:
            chosen = replace(self.options, **options)
            judged = cycle.plan(self.ports, cycle_id, self.declared, {}, chosen, reports=self.reports)
            for shard in [*judged.scanned, *reversed(judged.scanned * (scans - 1))]:
                cycle.scan_shard(self.ports, judged, shard)
            return cycle.conclude(self.ports, judged, fence, {}).report
        finally:
            self.ledger.release(cycle_id)

    def queued(self) -> set[str]:
        bodies = [json.loads(task.body) for task in self.queue.outstanding(LAKE)]
        keys = [key for body in bodies for key in body["keys"]]
        assert len(keys) == len(set(keys)), "a key is in two outstanding tasks"
        return set(keys)


@contextmanager
def lake_place(valkey, monkeypatch, *, keys=None, reports: Path | None = None) -> Iterator[Place]:
    """Yield a place over emptied queues; its lake holds ``keys`` (else what is declared, less ``GONE``)."""
    use_credentials(monkeypatch)
    valkey.client.flushall()
    broker = RedisBroker.connect(valkey.url)
    held = [key.encode() for key in OBJECTS if key not in GONE] if keys is None else keys
    with S3Server(held) as server:
        server.max_keys = 20
        yield Place(server, broker, reports)
    broker.close()
