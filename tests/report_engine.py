"""An engine over a small lake of which AWS has delivered reports: in a folder, or on an S3 server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from aws_reports import Report, rows, write_report
from engine_place import EnginePlace
from s3_server import S3Server

TODAY = datetime.now(UTC).date()
TEAMS = ["ATL", "BOS", "DEN", "LAL", "NYK"]
BOX = [f"box/{team}/{number:02d}.json" for team in TEAMS for number in range(20)]
DAYS = [f"daily/{TODAY - timedelta(days=back)}.json" for back in range(1, 11)]
PLAYERS = [f"players/{team}/{player}.json" for team in TEAMS for player in "abc"]
GONE = {*BOX[::11], DAYS[4]}
#: No report can tell of yesterday's: it came due after them.
YOUNG = DAYS[0]
STRAY = "box/notes.txt"
HELD = [*(key for key in [*BOX, *DAYS] if key not in GONE), *PLAYERS, STRAY, "read me.txt"]
#: ``notes`` looks at the whole lake, so that whatever is no lake data must be known as such.
INVENTORY = f"""
dimensions:
  team: {{values: [{", ".join(TEAMS)}]}}
  number: {{integers: "0..19", width: 2}}
  day: {{every: day, start: {TODAY - timedelta(days=10)}, end: now}}
expected_coverage:
  nba:
    data_types:
      box: {{path_patterns: ["box/{{team}}/{{number}}.json"]}}
      daily: {{path_patterns: ["daily/{{day}}.json"]}}
      players: {{path_patterns: ["players/{{team}}/{{player}}.json"], expected_per_team: 3}}
      notes: {{path_patterns: ["{{name}}.txt"]}}
"""


@dataclass
class ReportEngine:
    """A place and its lake; keys and folders of reports are those of the destination."""

    place: EnginePlace
    server: S3Server | None = None
    root: str = ""
    s3: dict[str, object] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.place.folder

    def configure(self, **s3: object) -> None:
        lake = self.folder / "lake"
        document: dict[str, Any] = {"inventory": "inventory.yaml"}
        if self.server is None:
            document |= {"lake": f"file://{lake}", "state": f"file://{lake}/.recon"}
        else:
            document |= {"lake": f"s3://{self.server.bucket}/{self.root.rstrip('/')}"}
            self.s3 |= {"endpoint_url": self.server.url, "region": "us-east-1"}
        self.write({**document, "s3": {**self.s3, **s3}})

    def write(self, document: dict[str, Any]) -> None:
        """Write the configuration; reports are used, and may be three days old."""
        told = {"use_aws_inventory": True, "max_report_age": "72h", **document["s3"]}
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config/recon.yaml").write_text(json.dumps({**document, "s3": told}))
        (self.folder / "config/inventory.yaml").write_text(INVENTORY)

    def put(self, key: str, body: bytes) -> None:
        if self.server is not None:
            self.server.objects.put(key.encode(), body, round(datetime.now(UTC).timestamp() * 1000))
            return
        path = self.folder / "lake" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def content(self) -> Mapping[str, int]:
        """Return everything that lies in the lake's bucket now, with its size."""
        if self.server is not None:
            objects = self.server.objects
            return dict(zip((key.decode() for key in objects.keys), objects.sizes, strict=True))
        lake = self.folder / "lake"
        files = (path for path in lake.rglob("*") if path.is_file())
        return {os.fspath(path.relative_to(lake)): path.stat().st_size for path in files}

    def report(self, at: datetime, *, lacking: frozenset[str] = frozenset()) -> Report:
        """Deliver a report of what lies there, as of an instant when yesterday's file could not be there."""
        late = {self.root + YOUNG, *(self.root + key for key in lacking)}
        there = {key: size for key, size in self.content().items() if key not in late}
        whole = rows([key.encode() for key in there], list(there.values()))
        frames: list[pl.DataFrame] = [whole[part::3] for part in range(3)]
        bucket = "lake" if self.server is None else self.server.bucket
        return write_report(
            self.put, frames, kind="Parquet", at=at, bucket=bucket, prefix="inventory-reports"
        )


def midnight(hours_before: float) -> datetime:
    """Return an instant before today began: what is due today has come due since."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start - timedelta(hours=hours_before)


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[ReportEngine]:
    """Yield an engine over a lake in a ``folder``, or on ``s3``; everything is stopped afterwards."""
    if kind == "folder":
        yield from _filled(ReportEngine(EnginePlace(folder)))
        return
    with S3Server() as server:
        yield from _filled(ReportEngine(EnginePlace(folder), server, "data/"))


def _filled(engine: ReportEngine) -> Iterator[ReportEngine]:
    for key in HELD:
        engine.put(engine.root + key, b"x" * 10)
    engine.configure()
    yield engine
    engine.place.recon("down")
