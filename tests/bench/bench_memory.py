"""The memory of a scan worker, whatever the bucket's size: a real worker, 1 to 20 million keys.

Usage: ``python tests/bench/bench_memory.py [--keys 1000000 5000000 20000000]``  (Linux: it reads /proc)

The lake is served over the S3 protocol by a process of its own, which makes its keys on the fly. Every key is
declared, and one more folder that is not there. A cold and a warm cycle each, through the workers that
``recon run`` starts. ``peak`` is the scan worker's resident memory at its highest (VmHWM), imports included;
``private`` is what of it is no file's page (RssAnon): libraries' pages are shared by all workers of a host.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import overload

PREFIXES = 300
TESTS = Path(__file__).resolve().parent.parent
_MS = 1_700_000_000_000


class Keys(Sequence[bytes]):
    """``count`` keys in ascending order, spread over folders; none is kept."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.per = -(-count // PREFIXES)

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(self.count))]
        return b"events/source=%03d/part-%08d.parquet" % divmod(range(self.count)[at], self.per)


def serve(count: int) -> None:
    """Serve a bucket of made keys until standard input closes."""
    sys.path.insert(0, str(TESTS))
    from s3_server import Objects, S3Server

    with S3Server() as server:
        server.objects = Objects(Keys(count), range(count), range(_MS, _MS + 1000 * count, 1000))
        print(server.url, flush=True)
        sys.stdin.read()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    parser.add_argument("--serve", type=int)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    titles = ("objects", "shards", "requests", "missing", "scan s", "worker CPU s", "peak MB", "private MB")
    print("{:<8}{:>12}{:>8}{:>10}{:>10}{:>9}{:>14}{:>9}{:>12}".format("cycle", *titles))
    for count in chosen.keys:
        words = [sys.executable, __file__, "--serve", str(count)]
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            url = str(server.stdout.readline()).strip()
            with tempfile.TemporaryDirectory() as folder:
                cycles(Path(folder), url, count)
        finally:
            server.communicate()


def cycles(folder: Path, url: str, count: int) -> None:
    """Print a row for each cycle over one lake."""
    per = -(-count // PREFIXES)
    (folder / "inventory.yaml").write_text(
        "dimensions:\n"
        f"  source: {{integers: '0..{PREFIXES}', width: 3}}\n"
        f"  n: {{integers: '0..{per - 1}', width: 8}}\n"
        "expected_coverage:\n  events:\n    scraper: events\n    data_types:\n      parts:\n"
        "        path_patterns: ['events/source={source}/part-{n}.parquet']\n"
        "        partition: [source]\n",
    )
    (folder / "recon.yaml").write_text(
        f"lake: s3://lake\ninventory: inventory.yaml\ns3: {{endpoint_url: '{url}', region: us-east-1}}\n",
    )
    secrets = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {**os.environ, **secrets, "RECON_CONFIG": str(folder / "recon.yaml")}
    recon = [sys.executable, "-c", "from recon.cli import main; main()"]
    try:
        for name in ("cold", "warm"):
            with (folder / "report.json").open("wb") as output:
                run = subprocess.Popen([*recon, "run", "--json"], cwd=folder, env=environment, stdout=output)
                spent = watched(run)
            if run.returncode:
                raise SystemExit(f"recon run ended with {run.returncode}")
            report = json.loads((folder / "report.json").read_text())
            seen = report["observed"]
            missing = sum(row["missing"] for row in report["coverage"])
            assert (seen["objects"], missing) == (count, PREFIXES * per - count + per)
            print(
                f"{name:<8}{seen['objects']:>12,}{seen['shards']['planned']:>8}{seen['requests']:>10,}"
                f"{missing:>10,}{report['timings_s']['scan']:>9.1f}{spent['cpu_s']:>14.1f}"
                f"{spent['peak_mb']:>9.0f}{spent['private_mb']:>12.0f}",
                flush=True,
            )
    finally:
        subprocess.run([*recon, "down"], cwd=folder, env=environment, capture_output=True, check=False)


def watched(run: subprocess.Popen[bytes]) -> dict[str, float]:
    """Return what the scan worker of a run used, read from /proc until the run ends."""
    spent = {"cpu_s": 0.0, "peak_mb": 0.0, "private_mb": 0.0}
    worker: Path | None = None
    while run.poll() is None:
        time.sleep(0.02)
        worker = worker or scan_worker(run.pid)
        try:
            status = (worker / "status").read_text() if worker else ""
            ticks = (worker / "stat").read_text().rpartition(")")[2].split() if worker else []
        except OSError:
            continue
        found = dict(line.split(":", 1) for line in status.splitlines())
        if "VmHWM" in found:
            spent["peak_mb"] = int(found["VmHWM"].split()[0]) / 1024
            spent["private_mb"] = max(spent["private_mb"], int(found["RssAnon"].split()[0]) / 1024)
            spent["cpu_s"] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def scan_worker(parent: int) -> Path | None:
    """Return the /proc folder of the scan worker that ``parent`` started."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"PPid:\t{parent}\n" in (process / "status").read_text()
            if ours and b"recon.scan" in (process / "cmdline").read_bytes():
                return process
        except OSError:
            continue
    return None


def test_memory() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
