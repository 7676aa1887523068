"""An installation for one test: a lake with holes, a Redis, and Celery processes that die where told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from redis_servers import RedisServer, binary_of, running

FAULTY = Path(__file__).parent / "faulty_celery.py"
CONTROL = ("worker", "-Q", "recon.control", "-P", "prefork", "-c", "1", "-n", "control@%h", "-l", "WARNING")
SCAN = ("worker", "-Q", "recon.scan", "-P", "threads", "-c", "4", "-n", "scan@%h", "-l", "WARNING")
WANTED = [f"box/{n:03d}.json" for n in range(40)]
GONE = set(WANTED[::7])
INVENTORY = """
dimensions: {n: {integers: "0..39", width: 3}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}}}}
"""
#: By name, as beat does: importing the tasks takes a second.
BEGIN = "from workers.app import app; app.send_task('recon.scheduled_cycle', ({every_s},))"


class Site:
    """A lake with holes, a Redis, and the processes of an installation."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.folder, self.server = folder, server
        self.mark = folder / "died"
        self.processes: list[subprocess.Popen[bytes]] = []
        lake = folder / "lake"
        (lake / "box").mkdir(parents=True)
        for key in set(WANTED) - GONE:
            (lake / key).write_text("x")
        (folder / "inventory.yaml").write_text(INVENTORY)
        self.configure()

    def configure(self, more: str = "") -> None:
        text = f"lake: lake\nbroker: {self.server.url}\ninventory: inventory.yaml\n{more}"
        (self.folder / "recon.yaml").write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
        return {**plain, "RECON_CONFIG": str(self.folder / "recon.yaml"), "FAULT_MARK": str(self.mark)}

    def start(self, *words: str, fault: str = "", config: Path | None = None) -> subprocess.Popen[bytes]:
        own = {} if config is None else {"RECON_CONFIG": str(config)}
        return self.run(str(FAULTY), *words, told={"FAULT": fault, **own})

    def run(self, *words: str, told: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a Python with these words; its environment is the site's, and what it is told beside."""
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env={**self.environment, **(told or {})},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def beat(self, name: str = "beat") -> subprocess.Popen[bytes]:
        return self.start("beat", "--schedule", str(self.folder / name), "--pidfile=", "-l", "WARNING")

    def scheduled_cycle(self, every_s: float = 3600.0) -> None:
        """Do what beat does once an interval."""
        code = BEGIN.format(every_s=every_s)
        subprocess.run([sys.executable, "-c", code], cwd=self.folder, env=self.environment, check=True)

    def wait_for(self, what: Callable[[], object], patience_s: float = 60) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < give_up_at, (self.folder / "log.txt").read_text()[-3000:]
            time.sleep(0.05)

    def reports(self) -> list[dict]:
        found = [
            json.loads(path.read_text()) for path in (self.folder / ".recon/cycles").glob("*/report.json")
        ]
        return sorted(found, key=lambda report: report["started_at"])

    def queued(self) -> set[str]:
        keys = []
        for level in ("critical", "high", "medium", "low"):
            for body in self.server.client.lrange(f"recon:queue:{level}", 0, -1):
                keys.extend(json.loads(body)["keys"])
        assert len(keys) == len(set(keys)), "a key is queued twice"
        return set(keys)

    def settled(self) -> bool:
        client = self.server.client
        return not (client.exists("recon:cycle:lock") or client.zcard("recon:cycle:open"))

    def stop(self) -> None:
        for process in self.processes:
            with_children(process, signal.SIGKILL)
            process.wait()


def with_children(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextmanager
def site_in(folder: Path) -> Iterator[Site]:
    with running(binary_of("valkey-9")) as server:
        site = Site(folder, server)
        try:
            yield site
        finally:
            site.stop()
