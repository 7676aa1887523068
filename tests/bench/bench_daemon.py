"""What ``recon daemon`` costs while it runs: memory, CPU, files, Redis keys, and whether it tells the truth.

Usage: ``python tests/bench/bench_daemon.py [--minutes 60] [--interval-minutes 2] [--idle]``  (Linux: /proc)

The sample lake in a folder of its own, the daemon with its embedded broker, and ``examples/fill_lake.py`` as
the scraper. Files go at random until a tenth of the time, five minutes at least, is left; then every gap must
close. With ``--idle`` nothing changes, nobody scrapes and one cycle runs: what it costs to stand by. Memory
is proportional (PSS), over all processes; CPU is that of one core, since the row before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

ROOT = Path(__file__).resolve().parents[2]
RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
#: Seconds between two deletions, and between two rows of a long run at most.
PAUSE_S, ROW_S = 3.0, 300.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Running:
    """A daemon, its folder, and what its processes have spent."""

    folder: Path
    daemon: subprocess.Popen[bytes]
    spent: dict[int, float] = field(default_factory=dict)

    def processes(self) -> dict[int, str]:
        """Return the command lines of the daemon, of its children, theirs, and of its broker."""
        lines = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
        rows = [line.split(None, 2) for line in lines.stdout.splitlines()[1:]]
        found = {self.daemon.pid}
        while more := {int(pid) for pid, parent, _ in rows if int(parent) in found} - found:
            found |= more
        broker = str(self.folder / ".recon" / "broker" / "broker.conf")
        return {int(pid): words for pid, _, words in rows if int(pid) in found or words.endswith(broker)}

    def server(self) -> redis.Redis:
        """Return a client of the embedded broker."""
        record = json.loads((self.folder / ".recon" / "broker" / "server.pid").read_text())
        return redis.Redis(unix_socket_path=record["socket"])

    def report(self) -> dict | None:
        """Return the last finished cycle's report."""
        latest = self.folder / ".recon" / "latest.json"
        if not latest.exists():
            return None
        cycle_id = json.loads(latest.read_text())["cycle_id"]
        return json.loads((self.folder / ".recon" / "cycles" / cycle_id / "report.json").read_text())

    def outcomes(self) -> dict[str, int]:
        """Return how often runs ended how."""
        told = subprocess.run(
            [*RECON, "status", "--json"], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return json.loads(told.stdout)["runs"]

    def row(self, began: float, last: float) -> str:
        """Return one line of figures."""
        found = self.processes()
        spent = {pid: cpu_s(pid) for pid in found}
        used = sum(now - self.spent.get(pid, 0.0) for pid, now in spent.items())
        self.spent = spent
        elapsed = time.monotonic() - began
        report = self.report()
        state = sum(1 for path in (self.folder / ".recon").rglob("*") if path.is_file())
        handles = sum(len(list(Path(f"/proc/{pid}/fd").glob("*"))) for pid in found)
        missing = "-" if report is None else report["verdicts"]["missing"]
        return (
            f"{elapsed / 60:>7.1f}{len(found):>10}{sum(map(pss_mb, found)):>10.0f}"
            f"{100 * used / (time.monotonic() - last):>9.2f}{handles:>9}{state:>9}{self.server().dbsize():>9}"
            f"{missing:>9}"
        )


COLUMNS = {
    "minutes": 7,
    "processes": 10,
    "MB": 10,
    "CPU %": 9,
    "handles": 9,
    "files": 9,
    "keys": 9,
    "missing": 9,
}
HEADER = "".join(name.rjust(width) for name, width in COLUMNS.items())


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    return _spent_s(pid, 11)


def ended_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process' children that have ended."""
    return _spent_s(pid, 13)


def _spent_s(pid: int, first: int) -> float:
    """Return two of a process' times, its program's and the kernel's for it (man 5 proc_pid_stat), added."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[first]) + int(fields[first + 1])) / TICKS


def pss_mb(pid: int) -> float:
    """Return a process' proportional share of memory, in MB."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def started(folder: Path, interval_minutes: float) -> Iterator[Running]:
    """Run a daemon until the block ends, and say how long it took to stop."""
    shutil.copytree(ROOT / "config", folder / "config")
    settings = folder / "config" / "recon.yaml"
    section = "reconciliation_loop:\n"
    assert section in settings.read_text()
    settings.write_text(
        settings.read_text().replace(section, f"{section}  health_check_port: {free_port()}\n")
    )
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [*RECON, "daemon", "--interval-minutes", str(interval_minutes)], cwd=folder, stderr=log
        )
    try:
        yield Running(folder, daemon)
    finally:
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(60)
        print(f"SIGTERM to exit: {time.monotonic() - began:.1f} s, exit code {code}")


def wait_for_report(running: Running) -> None:
    """Wait until a cycle has finished."""
    while running.report() is None:
        assert running.daemon.poll() is None, (running.folder / "daemon.log").read_text()
        time.sleep(0.2)


def idle(running: Running, minutes: float) -> None:
    """Print what standing by costs, by process."""
    wait_for_report(running)
    time.sleep(20.0)
    before = {pid: cpu_s(pid) for pid in running.processes()}
    ended_before = sum(map(ended_cpu_s, before))
    time.sleep(minutes * 60)
    print(f"{'process':<60}{'MB':>8}{'CPU %':>8}")
    found = running.processes()
    shares = {pid: 100 * (cpu_s(pid) - before.get(pid, 0.0)) / (minutes * 60) for pid in found}
    for pid, words in found.items():
        print(f"{words[-58:]:<60}{pss_mb(pid):>8.1f}{shares[pid]:>8.2f}")
    known = sum(cpu_s for pid, cpu_s in before.items() if pid not in found)
    ended = 100 * (sum(map(ended_cpu_s, found)) - ended_before - known) / (minutes * 60)
    print(f"{'those that ended meanwhile':<68}{ended:>8.2f}")
    print(f"{'all':<60}{sum(map(pss_mb, found)):>8.1f}{sum(shares.values()) + ended:>8.2f}")


def churn(running: Running, minutes: float) -> None:
    """Delete files while a scraper fills gaps; print rows, then what is left open."""
    began = last = time.monotonic()
    wait_for_report(running)
    address = f"unix://{running.server().connection_pool.connection_kwargs['path']}"
    scraper = subprocess.Popen([sys.executable, str(ROOT / "examples" / "fill_lake.py"), address])
    quiet_at = began + 60 * min(0.9 * minutes, max(minutes - 5, minutes / 2))
    draw, deleted = random.Random(1), 0
    files = sorted((running.folder / "sample-lake").glob("nba_api/boxscores/*/*.json"))
    print(HEADER)
    try:
        while time.monotonic() < began + minutes * 60:
            if time.monotonic() < quiet_at:
                path = draw.choice(files)
                deleted += path.exists()
                path.unlink(missing_ok=True)
            time.sleep(PAUSE_S)
            if time.monotonic() - last >= min(ROW_S, minutes * 6):
                print(running.row(began, last), flush=True)
                last = time.monotonic()
    finally:
        scraper.terminate()
        scraper.wait()
    report = running.report()
    lost = sum(not path.exists() for path in files)
    print(f"{deleted} files deleted; gaps {report['gaps']['total']}, of these files {lost} are not there")
    print(f"runs: {json.dumps(running.outcomes())}")


def main() -> None:
    """Measure one daemon."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--interval-minutes", type=float, default=2.0)
    parser.add_argument("--idle", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recon-daemon-") as folder:
        every = 600.0 if chosen.idle else chosen.interval_minutes
        with started(Path(folder).resolve(), every) as running:
            (idle if chosen.idle else churn)(running, chosen.minutes)


def test_daemon() -> None:
    """Let ``make bench`` run it, for a few minutes."""
    sys.argv = [__file__, "--minutes", "6", "--interval-minutes", "1"]
    main()


if __name__ == "__main__":
    main()
