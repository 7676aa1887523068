"""The closed loop, shown: recon finds the sample lake's gaps, a scraper fills them, recon looks and closes.

Usage: ``make demo-loop``, or ``python examples/demo_loop.py [--folder EMPTY-FOLDER]``. On the way the scraper
is killed with a task in its hands; a second one is started; that task comes back by itself. It ends when all
gaps are closed and the queues are empty, with exit code 0; after five minutes it gives up, with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
GIVES_UP_AFTER_S = 300
#: Tasks that are done before the scraper is killed.
KILLED_AFTER = 40
#: Seconds between two looks; each starts a process, which costs a second of work.
LOOKS_EVERY_S = 3
RECON = [sys.executable, "-c", "from recon.cli import main; main()"]


class Demo:
    """One engine in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(REPOSITORY / "config", folder / "config")
        config = folder / "config" / "recon.yaml"
        quick = "interval_hours: 1\n  min_interval: 5s"
        config.write_text(config.read_text().replace("interval_hours: 1", quick))
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def recon(self, *words: str) -> dict:
        """Return what a command of recon prints as JSON."""
        done = subprocess.run(
            [*RECON, *words, "--json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout) if done.stdout.startswith("{") else {}

    @property
    def environment(self) -> dict[str, str]:
        """Return this process' environment, with the project on Python's path."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
        return {**kept, "PYTHONPATH": str(REPOSITORY)}

    @contextmanager
    def process(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process until the block ends."""
        with (self.folder / "demo.log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, *words], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        try:
            yield started
        finally:
            if started.poll() is None:
                started.send_signal(signal.SIGTERM)
                try:
                    started.wait(20)
                except subprocess.TimeoutExpired:
                    started.kill()
                    started.wait()


def workers(demo: Demo, stack: ExitStack) -> None:
    """Start what the Procfile names: a control worker, a scan worker, beat."""
    celery = ("-m", "celery", "-A", "workers.app")
    prefork, threads = ("--pool", "prefork"), ("--pool", "threads")
    control = ("-Q", "recon.control", *prefork, "--concurrency", "1", "-n", "control@%h")
    stack.enter_context(demo.process(*celery, "worker", *control))
    stack.enter_context(
        demo.process(*celery, "worker", "-Q", "recon.scan", *threads, "--concurrency", "4", "-n", "scan@%h")
    )
    stack.enter_context(demo.process(*celery, "beat", "--schedule", ".recon/beat", "--pidfile="))


def run(demo: Demo) -> int:
    """Show the loop; return the exit code."""
    with ExitStack() as stack:
        stack.callback(demo.recon, "down")
        report = demo.recon("run")
        demo.say(
            f"a cycle: {report['expected']['exact_keys']:,} keys expected, {report['gaps']['total']} gaps, "
            f"{report['tasks']['outstanding']} tasks in the queues"
        )
        workers(demo, stack)
        url = demo.recon("queue", "ls")["redis"]
        scraper = (str(REPOSITORY / "examples" / "fill_lake.py"), url, "--pause", "0.02")
        first = stack.enter_context(demo.process(*scraper))
        demo.say(f"a scraper works (process {first.pid})")
        killed = False
        while time.monotonic() - demo.began < GIVES_UP_AFTER_S:
            told = demo.recon("queue", "ls")
            counts = {
                state: sum(level[state] for level in told["levels"].values())
                for state in ("ready", "leased", "cooling", "claimed")
            }
            demo.say(", ".join(f"{number} {state}" for state, number in counts.items()))
            if not killed and counts["ready"] < report["tasks"]["outstanding"] - KILLED_AFTER:
                first.kill()
                first.wait()
                killed = True
                demo.say("the scraper is killed with a task in its hands; another one is started")
                stack.enter_context(demo.process(*scraper))
            if killed and not any(counts.values()):
                status = demo.recon("status")
                if status["gaps"]["total"] == 0 and status["cycle_id"] != report["cycle_id"]:
                    demo.say(f"cycle {status['cycle_id']} finds no gap, and the queues are empty")
                    return 0
            time.sleep(LOOKS_EVERY_S)
    demo.say("gaps are still open; the log is demo.log in the folder")
    return 1


def main() -> None:
    """Run the demo in an empty folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="an empty folder that is kept (default: a temporary one)")
    chosen = parser.parse_args()
    if chosen.folder is not None:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        raise SystemExit(run(Demo(chosen.folder)))
    with tempfile.TemporaryDirectory(prefix="recon-demo-") as folder:
        raise SystemExit(run(Demo(Path(folder))))


if __name__ == "__main__":
    main()
