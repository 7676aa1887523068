"""Hundreds of cycles in a row over a lake that changes: the answer stays right, and nothing grows.

::

    python tests/soak.py --cycles 500

A control worker and a scan worker run over a Valkey and a fake S3, as in an installation. Before each cycle
objects come, go and shrink, scrapers claim truly and falsely, give back and fail, and at times S3 throttles
or denies. After each cycle a plain comparison of declared keys with the lake is held against the queues. In
the end the last quarter's figures are held against the first's: memory and open files of each process, files
of the state, keys and memory of Redis. What history and logs keep by days or rotation is counted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from redis_servers import OPTIONS, binary_of, running
from s3_server import S3Server

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.model import TaskState
from recon.sdk import Consumer

LAKE = "s3://lake"
SMALL_BYTES = 2
INVENTORY = """
dimensions: {n: {integers: "0..99", width: 3}}
quality_requirements: {min_file_size_bytes: 2}
expected_coverage:
  nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}, plays: {path_patterns: ["plays/{n}.json"]}}}
  odds: {data_types: {lines: {path_patterns: ["lines/{n}.csv"]}}}
"""
WANTED = [
    f"{name}/{n:03d}.{kind}"
    for name, kind in (("box", "json"), ("plays", "json"), ("lines", "csv"))
    for n in range(100)
]
CELERY = ("-m", "celery", "-A", "workers.app", "worker", "-l", "WARNING")
#: Claims are settled before every so many cycles: each message to a worker waits for up to a second.
TEND_EVERY = 4
#: Gaps that a scraper is let find; more are filled from outside.
GAPS_MAX = 60
#: Fewer cycles than these tell nothing of growth.
JUDGED_MIN = 40
#: What a figure of the last quarter may be above the first's: a share of it, and so much more.
MAY_GROW = {
    "MB": (0.10, 8.0),
    "fds": (0.0, 2.0),
    "files": (0.0, 5.0),
    "keys": (0.05, 10.0),
}
#: Bounded by time, not by cycles: what bounds them.
BOUNDED = {
    "history and reports (files)": "history_days; a cycle's own report two days, its error an hour",
    "logs (kB)": "rotation by size, backup_count files",
    "Redis keys that expire": "their times to live, a day at most",
}


@dataclass(frozen=True)
class Figure:
    """One figure, cycle by cycle."""

    name: str
    unit: str
    values: list[float]

    @property
    def quarters(self) -> tuple[float, float]:
        whole = self.values[len(self.values) // 20 :]  # the first cycles load what later ones use
        part = max(1, len(whole) // 4)
        return median(whole[:part]), median(whole[-part:])

    @property
    def grows(self) -> bool:
        if self.unit not in MAY_GROW or len(self.values) < JUDGED_MIN:
            return False
        first, last = self.quarters
        share, more = MAY_GROW[self.unit]
        return last > first * (1 + share) + more


class Soak:
    """One installation, and what it should see."""

    def __init__(self, folder: Path, redis, s3: S3Server, seed: int) -> None:
        self.folder, self.redis, self.s3 = folder, redis, s3
        self.random = random.Random(seed)
        self.figures: dict[tuple[str, str], list[float]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.queue = RedisTaskQueue(RedisBroker.connect(redis.url), lake=LAKE)
        (folder / "inventory.yaml").write_text(INVENTORY)
        (folder / "recon.yaml").write_text(
            f"lake: {LAKE}\nbroker: {redis.url}\ninventory: inventory.yaml\n"
            f"s3: {{endpoint_url: {s3.url}, region: us-east-1}}\n",
        )
        os.environ |= {
            "RECON_CONFIG": str(folder / "recon.yaml"),
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # ---- processes

    def start(self) -> None:
        for name, words in {
            "control": ("-Q", "recon.control", "-P", "prefork", "-c", "1"),
            "scan": ("-Q", "recon.scan", "-P", "threads", "-c", "4"),
        }.items():
            with (self.folder / "log.txt").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, *CELERY, *words, "-n", f"{name}@%h"],
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()

    def pids(self) -> dict[str, int]:
        """Return name -> process id, the pool's children too."""
        found = {}
        for name, process in self.processes.items():
            found[name] = process.pid
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            found |= {f"{name}'s child": int(pid) for pid in children}
        return found

    # ---- what happens between cycles

    def present(self) -> dict[str, int]:
        sizes = self.s3.objects.sizes
        return {key.decode(): sizes[at] for at, key in enumerate(self.s3.objects.keys)}

    def gaps(self) -> set[str]:
        """Return the truth: what is declared and not there, or too small."""
        there = self.present()
        return {key for key in WANTED if there.get(key, 0) < SMALL_BYTES}

    def put(self, key: str, body: bytes = b"whole") -> None:
        self.s3.objects.put(key.encode(), body, int(time.time() * 1000))

    def change(self) -> None:
        """Let objects go, shrink and come; never so many at once that the brake holds them."""
        gaps = self.gaps()
        for key in self.random.sample(WANTED, 2) if len(gaps) < GAPS_MAX else ():
            if self.random.random() < 0.7:
                self.s3.objects.delete(key.encode())
            else:
                self.put(key, b"x")
        for key in self.random.sample(sorted(gaps), min(len(gaps), 1 if len(gaps) < GAPS_MAX else 8)):
            self.put(key)

    def scrape(self) -> None:
        """Take a few tasks, and say of them what is true, what is not, and nothing."""
        with Consumer(self.redis.url, idle_s=0.02) as consumer:
            for task in consumer:
                chance = self.random.random()
                if chance < 0.7:
                    for key in task.keys:
                        self.put(key)
                    task.done()
                elif chance < 0.8:
                    task.done()
                elif chance < 0.9:
                    task.failed("the source is away", delay_s=1.0)
                else:
                    task.release()
                    break
                if chance < 0.25:
                    break

    def trouble(self, number: int) -> bool:
        """Have S3 misbehave; return whether this cycle cannot see everything."""
        self.s3.heal()
        if number % 7 == 3:
            self.s3.inject("slow_down", 0.2)
        if number % 11 == 5:
            self.s3.denied.append(b"plays/")
            return True
        return False

    # ---- a cycle, and what must come of it

    def wait_for(self, what: Callable[[], object], patience_s: float = 120) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            if time.monotonic() > give_up_at:
                raise AssertionError((self.folder / "log.txt").read_text()[-3000:])
            time.sleep(0.01)

    def cycle(self, number: int) -> None:
        from recon import access
        from workers.app import app
        from workers.messages import send_begin

        self.change()
        self.scrape()
        blind = self.trouble(number)
        if number % TEND_EVERY == 0:
            app.send_task("recon.tend", queue="recon.control", ignore_result=True)
        cycle_id = access.new_cycle_id(access.now())
        send_begin(cycle_id, {})
        cycles = self.folder / ".recon/cycles" / cycle_id
        self.wait_for(lambda: any((cycles / name).exists() for name in ("report.json", "error.json")))
        self.wait_for(lambda: not self.redis.client.exists("recon:cycle:lock"))
        if (cycles / "error.json").exists():
            raise AssertionError((cycles / "error.json").read_text())
        self.check(json.loads((cycles / "report.json").read_text()), blind=blind)

    def check(self, report: dict, *, blind: bool) -> None:
        """Hold the truth against verdicts and queues."""
        gaps = self.gaps()
        tasks = self.queue.outstanding(LAKE)
        keys = [key for task in tasks for key in json.loads(task.body)["keys"]]
        claimed = {
            key for task in tasks if task.state is TaskState.CLAIMED for key in json.loads(task.body)["keys"]
        }
        if len(keys) != len(set(keys)):
            raise AssertionError("a key is in two tasks")
        found = report["verdicts"]["missing"] + report["verdicts"]["small"]
        unseen = {key for key in WANTED if blind and key.startswith("plays/")}
        if found != len(gaps - unseen) or report["verdicts"]["unknown"] != len(unseen):
            raise AssertionError(f"{len(gaps - unseen)} gaps, told are {report['verdicts']}")
        given_up = {key for task in self.queue.dead() for key in json.loads(task.body)["keys"]}
        wrong = ((gaps - set(keys) - given_up) | (set(keys) - claimed - gaps)) - unseen
        if wrong:
            raise AssertionError(f"queues and truth differ in {sorted(wrong)}")

    # ---- what is measured

    def note(self, name: str, unit: str, value: float) -> None:
        self.figures.setdefault((name, unit), []).append(value)

    def measure(self) -> None:
        for name, pid in self.pids().items():
            status = Path(f"/proc/{pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            self.note(f"memory of {name}", "MB", int(resident.split()[1]) / 1024)
            self.note(f"open files of {name}", "fds", len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208
        state = self.folder / ".recon"
        files = [path.relative_to(state) for path in state.rglob("*") if path.is_file()]
        logs = [path for path in files if "log" in path.name]
        kept = [path for path in files if path.parts[0] in {"history", "runs"} or path.name == "report.json"]
        self.note("state (files)", "files", len(files) - len(kept) - len(logs))
        self.note("history and reports (files)", "", len(kept))
        self.note("logs (kB)", "", sum((state / path).stat().st_size for path in logs) / 1024)
        client = self.redis.client
        names = list(client.scan_iter(count=1000))
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.pttl(name)
        lasting = sum(ttl == -1 for ttl in pipe.execute())
        self.note("Redis keys that stay", "keys", lasting)
        self.note("Redis keys that expire", "", len(names) - lasting)
        self.note("memory of Redis", "MB", client.info("memory")["used_memory"] / 2**20)


def soak(cycles: int, seed: int, say: Callable[[str], None]) -> list[Figure]:
    """Run so many cycles and return the figures; raise AssertionError where an answer is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        running(binary_of("valkey-9"), *OPTIONS) as redis,
        S3Server([key.encode() for key in WANTED]) as s3,
    ):
        for key in WANTED:
            s3.objects.put(key.encode(), b"whole", int(time.time() * 1000))
        run = Soak(Path(folder), redis, s3, seed)
        run.start()
        try:
            for number in range(cycles):
                run.cycle(number)
                run.measure()
                if number % 10 == 9:
                    say(f"{number + 1} of {cycles} cycles, {len(run.gaps())} gaps")
        finally:
            run.stop()
    return [Figure(name, unit, values) for (name, unit), values in run.figures.items()]


def table(figures: list[Figure]) -> str:
    """Return the figures as Markdown."""
    lines = ["| figure | first quarter | last quarter | most | |", "|---|---|---|---|---|"]
    for one in figures:
        first, last = one.quarters
        verdict = BOUNDED.get(one.name) or ("GROWS" if one.grows else "does not grow")
        unit = f" ({one.unit})" if one.unit == "MB" else ""
        lines.append(f"| {one.name}{unit} | {first:.1f} | {last:.1f} | {max(one.values):.1f} | {verdict} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    figures = soak(options.cycles, options.seed, lambda line: print(line, file=sys.stderr, flush=True))
    print(table(figures))
    took_s = time.monotonic() - began
    print(f"\n{options.cycles} cycles in {took_s:.0f} s, every answer that of the plain comparison")
    return 1 if any(one.grows for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
