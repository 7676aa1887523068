"""One small lake with odd keys, on disk and on S3, and what must come out of it by a plain oracle."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from in_process import Done, called
from redis_servers import RedisServer
from s3_server import S3Server

#: Where the lake lies in its bucket.
PREFIX = "root/lake/"
SEASONS = ["2021-22", "2022-23"]
TEAMS = ["ATL", "NO", "0012"]
HOURS = [f"2024-03-01-{hour}" for hour in range(24)]
#: Names that go through YAML, S3's URL encoding, JSON, Redis and a terminal byte by byte.
ODD = [
    "a+b",
    "c%2Fd",
    "e f",
    "line\nbreak",
    "tab\t",
    '{"id":"x"}',
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "<x>&amp;",
    "*",
    "?x=1#f",
    "日本" * 40,
    "n" * 200,
]
INVENTORY = {
    "dimensions": {
        "season": {"seasons": "2021-22..2022-23"},
        "team": {"values": TEAMS},
        "hour": {"every": "hour", "start": "2024-03-01T00:00Z", "end": "2024-03-01"},
        "name": {"values": ODD},
    },
    "ignore_patterns": ["**/*.crc"],
    "expected_coverage": {
        "nba": {
            "scraper": "nba_scraper",
            "batch_size": 4,
            "data_types": {
                "stats": {
                    "path_patterns": ["stats/{season}/{team}.json"],
                    "min_size_bytes": 3,
                    "freshness_days": 7,
                },
                "hours": {"path_patterns": ["hours/{hour:%Y-%m-%d-%-H}.gz"], "due_after": "6h"},
                "parts": {"path_patterns": ["parts/{season}/{part}.bin"], "expected_per_season": 3},
                "notes": {"path_patterns": ["notes/{team}/{note}.txt"]},
            },
        },
        "odd": {"data_types": {"names": {"path_patterns": ["odd/{name}"]}}},
    },
    "known_absent": [{"key": "hours/2024-03-01-23.gz", "reason": "never archived"}],
}
EXACT = [
    *(f"stats/{season}/{team}.json" for season in SEASONS for team in TEAMS),
    *(f"hours/{hour}.gz" for hour in HOURS),
    *(f"odd/{name}" for name in ODD),
]
#: What is there: key -> size.
OBJECTS = {
    **dict.fromkeys(["stats/2021-22/ATL.json", "stats/2022-23/NO.json", *EXACT[6:26:2], *EXACT[31::2]], 9),
    "stats/2022-23/ATL.json": 2,
    "parts/2021-22/1.bin": 5,
    **{f"parts/2022-23/{part}.bin": 5 for part in range(4)},
    "notes/ATL/x.txt": 1,
    "stats/2021-22/ATL.json.crc": 4,  # ignored
    "stats/2021-22/LAL.json": 4,  # unexpected, as the next two
    "hours/2024-03-01-05.gz": 4,
    "odd/a b/c": 4,
    "elsewhere/x": 4,  # outside every pattern's prefix: not looked at
}
SMALL = {"stats/2022-23/ATL.json"}
ABSENT = {"hours/2024-03-01-23.gz"}
MISSING = {key for key in EXACT if key not in OBJECTS} - ABSENT
VERDICTS = {
    "ok": len(EXACT) - len(SMALL) - len(MISSING) - len(ABSENT),
    "stale": 0,
    "small": len(SMALL),
    "missing": len(MISSING),
    "not_due": 0,
    "known_absent": len(ABSENT),
    "unknown": 0,
}
UNEXPECTED = 3
SEEN = {key: size for key, size in OBJECTS.items() if key != "elsewhere/x" and not key.endswith(".crc")}
#: The counted and any gaps, as ``gaps --keys`` names them.
SHORT = {
    "nba.parts season=2021-22 1/3",
    "nba.notes team=NO 0/1",
    "nba.notes team=0012 0/1",
}


@dataclass
class ContractPlace:
    """A working directory with a configuration, over one lake and one private Redis."""

    folder: Path
    lake: str
    redis: RedisServer
    server: S3Server | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, **settings: Any) -> None:
        endpoint = {"endpoint_url": self.server.url, "region": "us-east-1"} if self.server else {}
        document = {
            "lake": self.lake,
            "inventory": "inventory.yaml",
            "broker": self.redis.url,
            **settings,
            "s3": {**endpoint, **settings.get("s3", {})},
        }
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        (self.folder / "config/recon.yaml").write_text(yaml.safe_dump(document))
        (self.folder / "config/inventory.yaml").write_text(yaml.safe_dump(INVENTORY, sort_keys=False))

    def recon(self, *words: str) -> Done:
        return called(self.folder, words, self.environment)

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        done = self.recon("run", "--inline", "--json", *words)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def delete(self, key: str) -> None:
        if self.server:
            self.server.objects.delete(f"{PREFIX}{key}".encode())
        else:
            (Path(self.lake.removeprefix("file://")) / key).unlink()

    def queued(self) -> list[tuple[str, bytes]]:
        """Return (level, body) of every task in the lists, most urgent level first."""
        levels = ("critical", "high", "medium", "low")
        return [
            (level, body)
            for level in levels
            for body in self.redis.client.lrange(f"recon:queue:{level}", 0, -1)
        ]

    def queued_keys(self) -> set[str]:
        counts = Counter(key for _, body in self.queued() for key in json.loads(body)["keys"])
        assert set(counts.values()) <= {1}, "a key is in two outstanding tasks"
        return set(counts)


def fill_folder(folder: Path) -> None:
    for key, size in OBJECTS.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def fill_server(server: S3Server) -> None:
    now_ms = round(time.time() * 1000)
    for key, size in OBJECTS.items():
        server.objects.put(f"{PREFIX}{key}".encode(), b"x" * size, now_ms)


@contextmanager
def opened(kind: str, folder: Path, redis: RedisServer) -> Iterator[ContractPlace]:
    """Yield a place over the lake on ``disk`` or on ``s3``, with an empty Redis."""
    redis.client.flushall()
    if kind == "disk":
        fill_folder(folder / "lake")
        place = ContractPlace(folder / "work", f"file://{folder}/lake", redis)
        place.configure()
        yield place
        return
    with S3Server() as server:
        fill_server(server)
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret"}
        place = ContractPlace(folder / "work", f"s3://lake/{PREFIX.rstrip('/')}", redis, server, keys)
        place.configure()
        yield place
