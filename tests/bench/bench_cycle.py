"""A full cycle at the owner's scale: 172,754 objects through the S3 protocol, 100 ms added to every request.

Usage: ``python tests/bench/bench_cycle.py [--inventory FILE] [--objects 172754] [--latency-ms 100]``

The inventory is the owner's where it is found beside the repository. A cold cycle, then two warm ones, each
through real Celery workers and an embedded Valkey. ``dispatch → queued`` is the cycle's own duration: from
the plan to the tasks in Redis.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OWNERS = REPOSITORY.parent / "shared" / "owner-config" / "data_inventory.yaml"
TESTS = REPOSITORY / "tests"


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


def serve(path: Path, latency_ms: float) -> None:
    """Serve the keys of a file until standard input closes."""
    sys.path.insert(0, str(TESTS))
    from s3_server import S3Server

    with S3Server(path.read_bytes().split(b"\n"), latency_s=latency_ms / 1000) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inventory", type=Path, default=OWNERS)
    parser.add_argument("--objects", type=int, default=172_754)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--serve", type=Path)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.latency_ms)
        return
    if not chosen.inventory.exists():
        raise SystemExit(f"{chosen.inventory}: not there; name an inventory with --inventory")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "keys").write_bytes(b"\n".join(lake_keys(chosen.objects)))
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
            cycles(folder, str(server.stdout.readline()).strip(), chosen.inventory)  # type: ignore[union-attr]
        finally:
            server.communicate()


def cycles(folder: Path, url: str, inventory: Path) -> None:
    (folder / "recon.yaml").write_text(
        f"lake: s3://lake\ninventory: {inventory}\ns3: {{endpoint_url: '{url}', region: us-east-1}}\n",
    )
    secrets = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {**os.environ, **secrets, "RECON_CONFIG": str(folder / "recon.yaml")}
    recon = [sys.executable, "-c", "from recon.cli import main; main()"]
    titles = ("objects", "requests", "shards", "plan s", "scan s", "compare s", "publish s")
    print(
        "{:<8}{:>9}{:>9}{:>8}{:>8}{:>8}{:>10}{:>10}".format("cycle", *titles)
        + f"{'dispatch → queued s':>21}{'with start-up s':>17}{'outstanding':>12}",
    )
    try:
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
            report = json.loads(done.stdout)
            seen, spent = report["observed"], report["timings_s"]
            print(
                f"{name:<8}{seen['objects']:>9,}{seen['requests']:>9,}{seen['shards']['planned']:>8}"
                f"{spent['plan']:>8.2f}{spent['scan']:>8.2f}{spent['compare']:>10.2f}{spent['publish']:>10.2f}"
                f"{report['duration_s']:>21.2f}{time.monotonic() - began:>17.1f}"
                f"{report['tasks']['outstanding']:>12}",
                flush=True,
            )
    finally:
        subprocess.run([*recon, "down"], cwd=folder, env=environment, capture_output=True, check=False)


def test_cycle() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
