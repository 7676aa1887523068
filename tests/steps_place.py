"""A place where this process takes a cycle's steps itself: a lake with holes, a state, a real Valkey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from redis_servers import ON_DISK, binary_of, running

from workers import steps

WANTED = [f"box/{n:03d}.json" for n in range(30)]
GONE = set(WANTED[::7])
INVENTORY = """
dimensions: {n: {integers: "0..29", width: 3}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}}}}
"""


class Place:
    """One lake with holes, one state, one broker; the steps of this process work on it."""

    def __init__(self, folder: Path, server) -> None:
        self.folder, self.server, self.client = folder, server, server.client
        self.lake = folder / "lake"
        (self.lake / "box").mkdir(parents=True)
        for key in set(WANTED) - GONE:
            (self.lake / key).write_text("x")
        (folder / "inventory.yaml").write_text(INVENTORY)
        self.configure()

    def configure(self, more: str = "") -> None:
        text = f"lake: file://{self.lake}\nbroker: {self.server.url}\ninventory: inventory.yaml\n{more}"
        (self.folder / "recon.yaml").write_text(text)
        steps._wired.cache_clear()
        steps._loaded.cache_clear()

    @property
    def ledger(self):
        return steps.engine().ledger

    def state(self, cycle_id: str, name: str) -> dict | None:
        content = steps.engine().ports.state.get(f"cycles/{cycle_id}/{name}.json")
        return None if content is None else json.loads(content)

    def queued(self) -> set[str]:
        keys = []
        for level in ("critical", "high", "medium", "low"):
            for body in self.client.lrange(f"recon:queue:{level}", 0, -1):
                keys.extend(json.loads(body)["keys"])
        assert len(keys) == len(set(keys)), "a key is queued twice"
        return set(keys)

    @staticmethod
    def keys_of(body: bytes) -> list[str]:
        return json.loads(body)["keys"]

    def scanned(self, cycle_id: str, flags: dict | None = None) -> None:
        """Begin a cycle and look at all its shards."""
        shard_ids = steps.begin(cycle_id, flags or {})
        assert shard_ids
        steps.sent(cycle_id, shard_ids)
        assert [steps.scan_shard(cycle_id, shard_id) for shard_id in shard_ids][-1]

    def heals(self) -> None:
        """A further cycle gets the lock, and ends at the truth."""
        assert self.ledger.current() is None
        self.scanned("zz-next")
        steps.finish("zz-next")
        assert self.state("zz-next", "report")["verdicts"]["missing"] == len(GONE)
        assert self.queued() == GONE
        assert self.ledger.current() is None
        assert self.ledger.open_cycles() == []


@pytest.fixture
def own_valkey():
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        yield server


def place_on(server, folder, monkeypatch) -> Place:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RECON_CONFIG", str(folder / "recon.yaml"))
    return Place(folder, server)


@pytest.fixture
def place(valkey, tmp_path, monkeypatch):
    valkey.client.flushall()
    yield place_on(valkey, tmp_path, monkeypatch)
    steps._wired.cache_clear()


@pytest.fixture
def breakable(own_valkey, tmp_path, monkeypatch):
    yield place_on(own_valkey, tmp_path, monkeypatch)
    steps._wired.cache_clear()


def expire_lock(place: Place) -> None:
    """Let the lock expire, as when every process of its cycle was killed."""
    place.client.delete("recon:cycle:lock")


def due_now(place: Place) -> list[str]:
    """Let the time of every noted cycle come; return what is to begin."""
    for cycle_id in place.client.zrange("recon:cycle:next", 0, -1):
        place.client.zadd("recon:cycle:next", {cycle_id: 1})
    return [cycle_id for cycle_id, _ in steps.due_cycles()]
