"""A whole ``recon run`` over an AWS S3 Inventory report of millions of rows, from start-up to tasks in Redis.

Usage: ``python tests/bench/bench_report_cycle.py [--rows 10000000] [--kind Parquet] [--runs 2]``

The lake is a folder that holds nothing but its report: every row is expected, 1 % is missing, 1 % too small.
It is not looked at again (``s3.confirm_requests_max: 0``). Each run goes through real Celery workers and an
embedded Valkey. ``CPU s`` is user and system of the run and its workers, imports included; ``RSS MB`` is the
most that all of them held at one time, a look four times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(1996, 2021)]
TEAMS = [f"T{number:02d}" for number in range(12)]
FOLDERS = len(SEASONS) * len(TEAMS)
#: Rows of a data file.
PART = 1_250_000
SMALL, MISSING_SHARE, SMALL_SHARE = 100, 0.01, 0.01
INVENTORY = """
dimensions:
  season: {{values: [{seasons}]}}
  team: {{values: [{teams}]}}
  n: {{integers: "0..{last}", width: 7}}
expected_coverage:
  nba:
    data_types:
      parts:
        path_patterns: ["nba/season={{season}}/team={{team}}/part-{{n}}.json"]
        min_size_bytes: {small}
        partition: [season]
"""
RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
TITLES = (
    *("rows", "missing", "small", "files", "plan s", "scan s", "compare s", "publish s", "cycle s"),
    *("start-up", "CPU s", "RSS MB"),
)


def frames(rows: int) -> Iterator[Any]:
    """Yield the rows of each data file; a step by a large prime through the rows shuffles them."""
    import numpy as np
    import polars as pl

    total = -(-rows // FOLDERS) * FOLDERS
    names = pl.Series([f"nba/season={season}/team={team}/part-" for season in SEASONS for team in TEAMS])
    for part, low in enumerate(range(0, total, PART)):
        random = np.random.default_rng(part)
        places = np.arange(low, min(low + PART, total)) * (7_368_787_001 % total) % total
        places = places[random.random(len(places)) > MISSING_SHARE]
        sizes = random.integers(SMALL, 5000, len(places))
        sizes[random.random(len(places)) < SMALL_SHARE] = SMALL - 1
        numbers = pl.Series(places // FOLDERS).cast(pl.String).str.zfill(7)
        keys = pl.select(pl.lit(names.gather(places % FOLDERS)) + pl.lit(numbers) + ".json").to_series()
        times = random.integers(1_600_000_000, 1_700_000_000, len(places)) * 1000
        yield pl.DataFrame({"key": keys.cast(pl.Binary), "size": sizes, "last_modified_date": times})


def generate(folder: Path, rows: int, kind: str) -> None:
    """Write the configuration, and the lake with its report."""
    from aws_reports import into, write_report

    at = datetime.now(UTC) - timedelta(hours=2)
    (folder / "lake").mkdir()
    write_report(into(folder / "lake"), frames(rows), kind=kind, at=at, prefix="inventory-reports")
    words = {"seasons": ", ".join(SEASONS), "teams": ", ".join(TEAMS), "small": SMALL}
    (folder / "inventory.yaml").write_text(INVENTORY.format(last=-(-rows // FOLDERS) - 1, **words))
    (folder / "recon.yaml").write_text(
        "lake: lake\ninventory: inventory.yaml\ns3: {use_aws_inventory: true, confirm_requests_max: 0}\n"
    )


def resident_mb(pid: int) -> float:
    """Return what a process and all below it hold now."""
    table = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    ).stdout
    rows = [tuple(map(int, line.split())) for line in table.splitlines()]
    family, before = {pid}, 0
    while len(family) > before:
        before = len(family)
        family |= {own for own, parent, _ in rows if parent in family}
    return sum(rss for own, _, rss in rows if own in family) / 1024


def measured(folder: Path) -> tuple[dict[str, Any], float, float, float]:
    """Run one cycle; return its report, the seconds it took, its CPU seconds and its most memory."""
    environment = {**os.environ, "RECON_CONFIG": str(folder / "recon.yaml")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        run = subprocess.Popen([*RECON, "run", "--json"], cwd=folder, env=environment, stdout=out, stderr=err)
        held: list[float] = [0.0]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.25):
                held.append(resident_mb(run.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = run.wait()
        spent = time.monotonic() - began
        ended.set()
        watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        raise SystemExit((folder / "err").read_text())
    # The looks at memory are children, too: what they took is a few milliseconds each, and is left in.
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return json.loads((folder / "out").read_text()), spent, cpu_s, max(held)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--kind", choices=("CSV", "Parquet", "ORC"), default="Parquet")
    parser.add_argument("--runs", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        generate(folder, chosen.rows, chosen.kind)
        print("".join(f"{title:>12}" for title in TITLES))
        try:
            for _ in range(chosen.runs):
                print(row(*measured(folder)), flush=True)
        finally:
            down = {**os.environ, "RECON_CONFIG": str(folder / "recon.yaml")}
            subprocess.run([*RECON, "down"], cwd=folder, env=down, capture_output=True, check=False)


def row(report: dict[str, Any], whole_s: float, cpu_s: float, held_mb: float) -> str:
    """Return a line of the table."""
    seen, verdicts, spent = report["observed"], report["verdicts"], report["timings_s"]
    counts = (seen["objects"], verdicts["missing"], verdicts["small"], seen["shards"]["complete"])
    seconds = [spent[name] for name in ("plan", "scan", "compare", "publish")]
    rest = [report["duration_s"], whole_s - report["duration_s"], cpu_s]
    return (
        "".join(f"{count:>12,}" for count in counts)
        + "".join(f"{value:>12.2f}" for value in [*seconds, *rest])
        + f"{held_mb:>12,.0f}"
    )


def test_report_cycle() -> None:
    """Let ``make bench`` run it, at a size that takes seconds."""
    sys.argv = [__file__, "--rows", "1000000", "--runs", "1"]
    main()


if __name__ == "__main__":
    main()
