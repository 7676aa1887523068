"""How fast the engine recovers: from a signal, from a worker that is killed, from a chord that hangs.

Usage: ``python tests/bench/bench_recovery.py [--repeat 5] [--only WORD]``  (15 minutes, most of it waiting)

Real processes with the times that the engine has: Celery workers, beat, a Valkey, `recon daemon`, and an S3
server that takes seconds to answer, so that a cycle lasts. Each cycle must end at the truth, each gap queued
once. Installations that wait for a deadline run side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import redis  # noqa: E402 - the test helpers stand beside
from installation import Site, with_children  # noqa: E402
from redis_servers import RedisServer, binary_of, running  # noqa: E402
from s3_server import S3Server  # noqa: E402

from recon import wiring  # noqa: E402

RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
CELERY = ["-m", "celery", "-A", "workers.app"]
CONTROL = ("worker", "-Q", "recon.control", "-P", "prefork", "-c", "1", "-l", "WARNING", "-n", "control@%h")
SCAN = ("worker", "-Q", "recon.scan", "-P", "threads", "-c", "4", "-l", "WARNING", "-n")
WANTED = [f"box/{folder:02d}/{n}.json" for folder in range(64) for n in range(3)]
GONE = set(WANTED[::7])
HELD = [key.encode() for key in WANTED if key not in GONE]
INVENTORY = """
dimensions: {n: {integers: "0..2"}, folder: {integers: "0..63", width: 2}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{folder}/{n}.json"]}}}}
"""
#: Seconds that the S3 server takes for an answer while shards are looked at.
SLOW_S = 2.0
#: Shards of a cycle: eight folders make one.
SHARDS = 8
LEVELS = ("critical", "high", "medium", "low")
#: Seconds between the starts of two installations that run side by side.
SPREAD_S = 13.0
DEADLINE_S = wiring.SHARD_DEADLINE_S


def settings(s3: S3Server, more: str = "") -> str:
    lake = f"lake: s3://lake\ns3: {{endpoint_url: '{s3.url}', region: us-east-1}}\n"
    return f"{lake}inventory: inventory.yaml\n{more}"


def aws() -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RECON_", "AWS_"))}
    keys = {
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": "SECRET",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**plain, **keys, "PYTHONPATH": str(TESTS.parent)}


def judge(report: dict, client: redis.Redis) -> None:
    """Hold one cycle's answer against the truth, and the queues against it."""
    assert report["verdicts"]["missing"] == len(GONE), report["verdicts"]
    assert report["verdicts"]["unknown"] == 0, report["verdicts"]
    bodies = [body for level in LEVELS for body in client.lrange(f"recon:queue:{level}", 0, -1)]
    keys = [key for body in bodies for key in json.loads(body)["keys"]]
    assert sorted(keys) == sorted(GONE), keys


class Works(Site):
    """Workers and beat as the Procfile starts them, over a lake that answers slowly."""

    def __init__(self, folder: Path, server: RedisServer, s3: S3Server) -> None:
        self.s3 = s3
        super().__init__(folder, server)
        (folder / "inventory.yaml").write_text(INVENTORY)

    def configure(self, more: str = "") -> None:
        # No schedule: each cycle is begun here, and none comes between.
        own = f"broker: {self.server.url}\nreconciliation_loop: {{enabled: false}}\n{more}"
        (self.folder / "recon.yaml").write_text(settings(self.s3, own))

    @property
    def environment(self) -> dict[str, str]:
        return {**aws(), "RECON_CONFIG": str(self.folder / "recon.yaml")}

    def start(self, *words: str, fault: str = "", config: Path | None = None) -> subprocess.Popen[bytes]:
        del fault, config
        return self.run(*CELERY, *words)

    def scan(self, name: str = "scan") -> subprocess.Popen[bytes]:
        return self.start(*SCAN, f"{name}@%h")

    def waiting(self) -> int:
        """Return how many shards of the open cycle have not reported."""
        found = self.server.client.zrange("recon:cycle:open", 0, -1)
        return self.server.client.zcard(f"recon:cycle:{found[-1].decode()}:wait") if found else 0

    def is_scanning(self) -> bool:
        """Tell whether the open cycle's shards are being looked at."""
        return bool(self.server.client.hexists("recon:cycle:consumed", "scan") and self.waiting())

    def begin(self) -> None:
        """Begin a cycle whose shards wait for a scan worker: S3 is slow from then on."""
        self.scheduled_cycle(0.001)
        self.wait_for(lambda: self.server.client.llen("recon.scan") >= SHARDS, 120)
        self.s3.latency_s = SLOW_S

    def until_ended(self, since: float, patience_s: float) -> float:
        """Wait for the cycle's end; return the seconds since then."""
        self.wait_for(lambda: self.reports() and self.settled(), patience_s)
        took_s = time.monotonic() - since
        judge(self.reports()[-1], self.server.client)
        return took_s


@contextmanager
def works() -> Iterator[Works]:
    with (
        S3Server(HELD) as s3,
        tempfile.TemporaryDirectory(prefix="recon-recovery-", ignore_cleanup_errors=True) as folder,
        running(binary_of("valkey-9")) as server,
    ):
        made = Works(Path(folder).resolve(), server, s3)
        try:
            yield made
        finally:
            made.stop()


def killed(*, another: bool, replaced: bool) -> float:
    """Kill a scan worker amid its cycle; return the seconds until the cycle has ended."""
    with works() as site:
        site.start(*CONTROL)
        site.beat()
        one = site.scan("one")
        if another:
            site.scan("another")
            time.sleep(20.0)  # so that each takes its part
        site.s3.latency_s = SLOW_S
        site.scheduled_cycle(0.001)
        site.wait_for(site.is_scanning, 240)
        time.sleep(0.5)
        assert site.waiting(), "the cycle had ended before its worker was killed"
        with_children(one, signal.SIGKILL)
        since = time.monotonic()
        if replaced:
            time.sleep(1.0)
            site.scan("one")
        if replaced or another:
            return site.until_ended(since, 4 * DEADLINE_S)
        site.wait_for(lambda: site.reports() and site.settled(), 4 * DEADLINE_S)
        took_s = time.monotonic() - since
        assert site.reports()[-1]["verdicts"]["unknown"], "what nobody looked at is unknown"
        site.s3.latency_s = 0.0
        site.scan("one")
        site.scheduled_cycle(0.001)
        site.wait_for(lambda: len(site.reports()) > 1 and site.settled(), 240)
        judge(site.reports()[-1], site.server.client)
        return took_s


def lost_message() -> float:
    """Lose one shard's message in Redis; return the seconds from then until the cycle has ended."""
    with works() as site:
        site.start(*CONTROL)
        site.beat()
        site.begin()
        assert site.server.client.lpop("recon.scan")
        since = time.monotonic()
        site.scan()
        return site.until_ended(since, 4 * DEADLINE_S)


def hung() -> float:
    """Lose the chord's counters; return the seconds from the last shard's report to the final step."""
    with works() as site:
        client = site.server.client
        site.start(*CONTROL)
        site.beat()
        site.begin()
        site.scan()
        (cycle_id,) = (one.decode() for one in client.zrange("recon:cycle:open", 0, -1))
        while site.waiting():
            for key in client.keys("celery-taskset-meta-*"):
                client.delete(key)
            time.sleep(0.01)
        since = time.monotonic()
        site.wait_for(lambda: client.hexists(f"recon:cycle:{cycle_id}", "final_by"), 120)
        found_s = time.monotonic() - since
        site.until_ended(since, 120)
        return found_s


class Daemon:
    """`recon daemon` with its own broker in a folder."""

    def __init__(self, folder: Path, s3: S3Server) -> None:
        self.folder = folder
        (folder / "inventory.yaml").write_text(INVENTORY)
        with socket.create_server(("127.0.0.1", 0)) as free:
            loop = f"reconciliation_loop: {{health_check_port: {free.getsockname()[1]}}}\n"
        (folder / "recon.yaml").write_text(settings(s3, loop))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [*RECON, "daemon", "--config", "recon.yaml"],
                cwd=self.folder,
                env=aws(),
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until it has exited."""
        since = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        return time.monotonic() - since

    def cycles(self, name: str) -> list[Path]:
        return sorted((self.folder / ".recon/cycles").glob(f"*/{name}.json"))

    def wait_for(self, what: Callable[[], object], patience_s: float = 120) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            runs = self.process.poll() is None and time.monotonic() < give_up_at
            assert runs, (self.folder / "log.txt").read_text()[-3000:]
            time.sleep(0.05)

    def pid_of(self, name: str) -> int:
        started = (self.folder / "log.txt").read_text().split(f"{name} started (process ")
        return int(started[-1].partition(")")[0])

    def until_ended(self, patience_s: float) -> None:
        """Wait until the one cycle has ended, and hold it against the truth."""
        self.wait_for(lambda: self.cycles("report"), patience_s)
        record = json.loads((self.folder / ".recon/broker/server.pid").read_text())
        with redis.Redis(unix_socket_path=record["socket"]) as client:
            self.wait_for(lambda: not client.exists("recon:cycle:lock"))
            (plan,), (path,) = self.cycles("plan"), self.cycles("report")
            assert plan.parent == path.parent, "another cycle was begun"
            judge(json.loads(path.read_text()), client)


@contextmanager
def daemon_amid_a_cycle() -> Iterator[Daemon]:
    """Run a daemon whose first cycle's shards are being looked at; end whatever of it still runs."""
    with (
        S3Server(HELD, latency_s=SLOW_S) as s3,
        tempfile.TemporaryDirectory(prefix="recon-recovery-", ignore_cleanup_errors=True) as folder,
    ):
        daemon = Daemon(Path(folder).resolve(), s3)
        daemon.start()
        try:
            daemon.wait_for(lambda: daemon.cycles("plan"))
            time.sleep(random.uniform(0.0, SLOW_S))
            assert not daemon.cycles("report"), "the cycle had ended before anything was done to it"
            yield daemon
        finally:
            if daemon.process.poll() is None:
                daemon.stop()


def orphaned() -> float:
    """Kill the scan worker of a daemon amid a cycle; return the seconds until the cycle has ended."""
    with daemon_amid_a_cycle() as daemon:
        os.kill(daemon.pid_of("scan worker"), signal.SIGKILL)
        since = time.monotonic()
        daemon.until_ended(DEADLINE_S + 60.0)
        return time.monotonic() - since


def stopped() -> tuple[float, float]:
    """Stop a daemon amid a cycle, and again when the next one has ended it; return the seconds of both."""
    with daemon_amid_a_cycle() as daemon:
        amid_s = daemon.stop()
        daemon.start()
        daemon.until_ended(120.0)
        return amid_s, daemon.stop()


@dataclass(frozen=True)
class Row:
    """One figure: what was done, what is aimed at, and the seconds it took each time."""

    what: str
    aim_s: float | None
    took_s: list[float]

    def __str__(self) -> str:
        """Return the row of the table."""
        worst = max(self.took_s)
        aim = "-" if self.aim_s is None else f"{self.aim_s:.0f}"
        met = "" if self.aim_s is None else "met" if worst <= self.aim_s else "MISSED"
        return (
            f"| {self.what} | {len(self.took_s)} | {median(self.took_s):.1f} | {worst:.1f} | {aim} | {met} |"
        )


def rows(repeat: int, only: str) -> Iterator[Row]:
    """Measure; what waits for a deadline runs side by side, what is done in seconds does not."""
    late_s = DEADLINE_S + 30.0
    if only in "recon daemon":
        both = [stopped() for _ in range(repeat)]
        yield Row("SIGTERM of `recon daemon` amid a cycle, until it exited", 10.0, [amid for amid, _ in both])
        yield Row("SIGTERM of `recon daemon` at rest, until it exited", 10.0, [rest for _, rest in both])
        alone = [orphaned() for _ in range(repeat)]
        yield Row("scan worker of `recon daemon` killed, until the cycle ended", late_s, alone)
    waits: dict[str, tuple[float, Callable[[], float]]] = {
        "chord hung (its counters lost), until it was found": (30.0, hung),
        "scan worker killed, started again, until the cycle ended": (
            late_s,
            lambda: killed(another=False, replaced=True),
        ),
        "scan worker killed, another is there, until the cycle ended": (
            late_s,
            lambda: killed(another=True, replaced=False),
        ),
        "scan worker killed, nobody is there, until the cycle ended without it": (
            DEADLINE_S + late_s,
            lambda: killed(another=False, replaced=False),
        ),
        "a shard's message lost in Redis, until the cycle ended": (late_s, lost_message),
    }
    with ThreadPoolExecutor(64) as pool:
        begun, number = {}, 0
        for what, (_, measure) in waits.items():
            for _ in range(repeat if only in what else 0):
                begun.setdefault(what, []).append(pool.submit(later, number, measure))
                number += 1
        for what, measured in begun.items():
            yield Row(what, waits[what][0], [one.result() for one in measured])


def later(number: int, measure: Callable[[], float]) -> float:
    """Begin after those that came before: starting takes the processor, waiting does not."""
    time.sleep(SPREAD_S * number)
    return measure()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--only", default="", help="rows whose name holds this: recon daemon, hung, killed, …"
    )
    chosen = parser.parse_args()
    random.seed(1)
    print(f"a shard's deadline is {DEADLINE_S:.0f} s, the watchdog looks every 20 s; {os.cpu_count()} cores")
    print("\n| what | times | median s | worst s | aim s | |\n|---|---|---|---|---|---|", flush=True)
    for row in rows(chosen.repeat, chosen.only):
        print(row, flush=True)


def test_recovery() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__, "--repeat", "2"]
    main()


if __name__ == "__main__":
    main()
