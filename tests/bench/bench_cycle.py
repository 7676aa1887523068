"""A full cycle at the owner's scale: 172,754 objects through the S3 protocol, 100 ms added to every request.

Usage: ``python tests/bench/bench_cycle.py [--report] [--standing] [--inventory FILE] [--objects N]
[--latency-ms 100]``

The inventory is the owner's where it is found beside the repository. A cold cycle, then two warm ones, each
through real Celery workers and an embedded Valkey. ``dispatch → queued`` is the cycle's own duration: from
the plan to the tasks in Redis.

Without ``--standing`` every cycle starts its own workers, which import what they need on the way; with it
the Procfile's control and scan workers stand beside a Redis of one's own, as they do in operation.

``--report`` puts an AWS S3 Inventory report of the lake (Parquet, ``--files`` data files, 2 hours old) into
its bucket and reads that. A second table leaves out looking again, live, at the gaps it shows
(``s3.confirm_requests_max: 0``): what is left is reading, checking and comparing the report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
OWNERS = REPOSITORY.parent / "shared" / "owner-config" / "data_inventory.yaml"
TESTS = REPOSITORY / "tests"
#: Settings of ``s3`` for cycles over a report: with, and without looking again at its gaps.
REPORT_SETTINGS = (", use_aws_inventory: true", ", use_aws_inventory: true, confirm_requests_max: 0")


def lake_keys(count: int) -> list[bytes]:
    """Return keys shaped like the owner's lake, gaps included, filled up with objects nobody declared."""
    keys: list[str] = []
    keys += [f"hoopr_parquet/play_by_play/nba_data_{year}.parquet" for year in range(2004, 2024)]
    for kind, short in (("boxscores_advanced", "advanced"), ("boxscores_traditional", "traditional")):
        for year in range(25):
            keys += [
                f"nba_api_comprehensive/{kind}/{short}_002{year:02d}{n:05d}.json" for n in range(1, 1300)
            ]
    for year in range(2000, 2025):
        season = f"{year}-{(year + 1) % 100:02d}"
        keys += [f"nba_api_comprehensive/player_stats/{season}/{player}.json" for player in range(480)]
        keys += [f"nba_api_comprehensive/team_stats/{season}/{stat}.json" for stat in "abcdef"]
        keys += [f"nba_api_comprehensive/team_dashboards/{season}/{team}.json" for team in range(26)]
    for year in range(1946, 2026):
        base = "basketball_reference/nba"
        keys += [f"{base}/{kind}/{year}/{kind}.json" for kind in ("tracking", "leaders")]
        keys += [f"{base}/play_by_play/{year}/{year}{game:05d}/pbp.json" for game in range(600)]
        keys += [f"{base}/leaders/{year}/leaders.json", f"{base}/all_star/{year}/allstar_game.json"]
    keys = sorted(set(keys))[:count]
    base = "basketball_reference/nba/plus_minus"
    rest = range(count - len(keys))
    keys += [f"{base}/{2000 + n % 26}/player{n // 26:05d}/plus_minus.json" for n in rest]
    return sorted(key.encode() for key in keys)


def write_a_report(folder: Path, keys: list[bytes], files: int) -> None:
    """Write the report of a bucket that ``serve`` serves: the same sizes and times."""
    sys.path.insert(0, str(TESTS))
    from aws_reports import into, rows, write_report
    from s3_server import Objects

    held = Objects.of(keys)
    whole = rows(held.keys, held.sizes, held.mtimes).sample(fraction=1, shuffle=True, seed=0)
    frames = [whole[part::files] for part in range(files)]
    at = datetime.now(UTC) - timedelta(hours=2)
    write_report(into(folder), frames, kind="Parquet", at=at, prefix="inventory-reports")


def serve(path: Path, latency_ms: float) -> None:
    """Serve the keys of a file, and the folder ``reports`` beside it, until standard input closes."""
    sys.path.insert(0, str(TESTS))
    from s3_server import S3Server

    with S3Server(path.read_bytes().split(b"\n"), latency_s=latency_ms / 1000) as server:
        reports = path.parent / "reports"
        for file in reports.rglob("*.*"):
            server.objects.put(str(file.relative_to(reports)).encode(), file.read_bytes())
        print(server.url, flush=True)
        sys.stdin.read()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inventory", type=Path, default=OWNERS)
    parser.add_argument("--objects", type=int, default=172_754)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--files", type=int, default=3, help="data files of the report")
    parser.add_argument("--standing", action="store_true", help="workers that outlive a cycle")
    parser.add_argument("--serve", type=Path)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.latency_ms)
        return
    if not chosen.inventory.exists():
        raise SystemExit(f"{chosen.inventory}: not there; name an inventory with --inventory")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        keys = lake_keys(chosen.objects)
        (folder / "keys").write_bytes(b"\n".join(keys))
        if chosen.report:
            write_a_report(folder / "reports", keys, chosen.files)
        words = [
            sys.executable,
            __file__,
            "--serve",
            str(folder / "keys"),
            "--latency-ms",
            str(chosen.latency_ms),
        ]
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            url = str(server.stdout.readline()).strip()  # type: ignore[union-attr]
            for settings in REPORT_SETTINGS if chosen.report else ("",):
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    cycles(Path(own), url, chosen.inventory, settings, standing=chosen.standing)
        finally:
            server.communicate()


def cycles(folder: Path, url: str, inventory: Path, settings: str = "", *, standing: bool = False) -> None:
    """Run a cold cycle and two warm ones with these settings of ``s3``; print a row for each."""
    (folder / "recon.yaml").write_text(
        f"lake: s3://lake\ninventory: {inventory}\n"
        f"s3: {{endpoint_url: '{url}', region: us-east-1{settings}}}\n",
    )
    secrets = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {**os.environ, **secrets, "RECON_CONFIG": str(folder / "recon.yaml")}
    recon = [sys.executable, "-c", "from recon.cli import main; main()"]
    if settings:
        print(f"\ns3: {settings.removeprefix(', ')}")
    print(HEADINGS)
    with ExitStack() as stack:
        stack.callback(
            subprocess.run, [*recon, "down"], cwd=folder, env=environment, capture_output=True, check=False
        )
        if standing:
            environment["RECON_REDIS_URL"] = stack.enter_context(standing_workers(folder, environment))
        for name in ("cold", "warm", "warm"):
            began = time.monotonic()
            done = subprocess.run(
                [*recon, "run", "--json"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(done.stderr)
            print(row(name, json.loads(done.stdout), time.monotonic() - began), flush=True)


@contextmanager
def standing_workers(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a Valkey and the Procfile's control and scan workers; yield the server's address."""
    sys.path.insert(0, str(TESTS))
    from redis_servers import ON_DISK, binary_of, running

    lines = dict(line.split(": ", 1) for line in (REPOSITORY / "Procfile").read_text().splitlines())
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        own = {**environment, "RECON_REDIS_URL": server.url, "PYTHONPATH": str(REPOSITORY)}
        workers = [
            subprocess.Popen(
                ["sh", "-c", lines[name].replace(".venv/bin/celery", f"{sys.executable} -m celery")],
                cwd=folder,
                env=own,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name in ("control", "scan")
        ]
        try:
            time.sleep(6)
            yield server.url
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(30)


TITLES = ("objects", "LIST", "GET", "again", "shards", "plan s", "scan s", "compare s", "publish s")
HEADINGS = "{:<8}{:>9}{:>7}{:>7}{:>7}{:>8}{:>8}{:>8}{:>11}{:>11}".format("cycle", *TITLES) + (
    f"{'dispatch → queued s':>21}{'with start-up s':>17}{'outstanding':>12}{'USD a month':>12}"
)


def row(name: str, report: dict[str, Any], whole_s: float) -> str:
    """Return a line of the table; ``again`` are keys that were looked at again, live."""
    seen, spent = report["observed"], report["timings_s"]
    kinds, again = seen["requests_by_kind"], seen.get("looked_again", 0)
    return (
        f"{name:<8}{seen['objects']:>9,}{kinds['list']:>7,}{kinds['get']:>7,}{again:>7,}"
        f"{seen['shards']['planned']:>8}{spent['plan']:>8.2f}{spent['scan']:>8.2f}{spent['compare']:>11.2f}"
        f"{spent['publish']:>11.2f}{report['duration_s']:>21.2f}{whole_s:>17.1f}"
        f"{report['tasks']['outstanding']:>12}{seen['estimated_monthly_usd']:>12.2f}"
    )


def test_cycle() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
