"""What a listing costs its client: ours, with the sketch and alone, beside others, over one server.

Usage: ``python tests/bench/bench_listing.py [--keys 1000000] [--prefixes 300] [--runs 3]``

The server has a process of its own. Each contender runs in a fresh one and lists the same keys over one
connection, plain HTTP. CPU is the client's alone (user and system), per 1,000,000 keys; imports, set-up and a
first small listing are left out. Slow contenders list a part, and their figures are scaled up (marked ~).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

#: Counts the keys below a prefix by listing them.
Count = Callable[[bytes], int]

TESTS = Path(__file__).resolve().parent.parent
#: Contenders, and the part of the keys each lists.
CONTENDERS = {"recon": 1.0, "recon list": 1.0, "findall": 1.0, "pyarrow.fs": 1.0, "boto3": 0.1}
WHAT = {
    "recon": "a shard's scan: keys to Arrow to sketch, each key found among the declared ones",
    "recon list": "its lister alone: signed, checked, decoded, Arrow batches",
    "findall": "urllib3 + SigV4 + one re.findall: no checks, no decoding, no Arrow",
    "pyarrow.fs": "S3FileSystem.get_file_info(recursive), Arrow's C++ client",
    "boto3": "list_objects_v2 paginator, keys into a list",
}
VERSIONS = {
    "recon": "recon",
    "recon list": "recon",
    "findall": "urllib3",
    "pyarrow.fs": "pyarrow",
    "boto3": "boto3",
}


def open_recon(url: str, lake: tuple[int, int]) -> Count:
    from datetime import UTC, datetime

    from recon.adapters.s3 import S3Lister
    from recon.core.dimensions import parse_dimension
    from recon.core.inventory import Dataset, Inventory, PatternSpec
    from recon.model import KeyRange, Shard
    from recon.pace import Pace
    from recon.plan import Options, Plan, judgement
    from recon.scan import scan
    from recon.sketch_file import encoded

    keys, prefixes = lake
    dimensions = {
        "source": {"integers": f"0..{prefixes - 1}", "width": 3},
        "n": {"integers": f"0..{-(-keys // prefixes) - 1}", "width": 8},
    }
    patterns = (PatternSpec("events/source={source}/part-{n}.parquet", ""),)
    declared = Inventory(
        dimensions=tuple(parse_dimension(name, value) for name, value in dimensions.items()),
        datasets=(Dataset("events", "parts", "", patterns, "events"),),
    )
    lister, pace = S3Lister("lake", endpoint_url=url), Pace()
    plan = Plan("bench", datetime(2025, 11, 1, tzinfo=UTC), declared, Options("s3://lake", connections=1), ())
    judged = judgement(plan, {})

    def count(prefix: bytes) -> int:
        shard = Shard("bench", (KeyRange(prefix),))
        sketch = scan(lister, judged, shard, lambda: datetime.now(UTC), pace)
        encoded(sketch)
        assert sketch.complete, sketch.facts.failure
        return sum(len(seen.present) for seen in sketch.domains.values())

    return count


def open_list(url: str, _lake: tuple[int, int]) -> Count:
    from recon.adapters.s3 import S3Lister
    from recon.model import KeyRange

    lister = S3Lister("lake", endpoint_url=url)
    return lambda prefix: sum(page.batch.num_rows for page in lister.pages(KeyRange(prefix)))


def open_findall(url: str, _lake: tuple[int, int]) -> Count:
    import re

    import urllib3
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    entry = re.compile(
        rb"<Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>[^<]*</ETag><Size>(\d+)</Size>"
    )
    following = re.compile(rb"<NextContinuationToken>([^<]*)")
    pool = urllib3.connection_from_url(url)
    credentials = Credentials("bench", "bench")

    def count(prefix: bytes) -> int:
        keys, token = 0, ""
        while True:
            path = f"/lake?{token}encoding-type=url&list-type=2&prefix={quote(prefix, safe='')}"
            request = AWSRequest("GET", url + path)
            S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
            body = pool.urlopen("GET", path, headers=dict(request.headers.items())).data
            keys += len(entry.findall(body))
            found = following.search(body)
            if not found:
                return keys
            token = f"continuation-token={quote(found[1], safe='')}&"

    return count


def open_pyarrow(url: str, _lake: tuple[int, int]) -> Count:
    from pyarrow import fs

    lake = fs.S3FileSystem(
        access_key="bench", secret_key="bench", endpoint_override=url, scheme="http", region="us-east-1"
    )

    def count(prefix: bytes) -> int:
        folder = fs.FileSelector("lake/" + prefix.decode().rstrip("/"), recursive=True)
        return sum(info.is_file for info in lake.get_file_info(folder))

    return count


def open_boto3(url: str, _lake: tuple[int, int]) -> Count:
    import boto3

    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")

    def count(prefix: bytes) -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix.decode())
        return sum(len([item["Key"] for item in page.get("Contents", ())]) for page in pages)

    return count


OPEN = {
    "recon": open_recon,
    "recon list": open_list,
    "findall": open_findall,
    "pyarrow.fs": open_pyarrow,
    "boto3": open_boto3,
}


def measured(name: str, url: str, prefix: bytes, lake: tuple[int, int]) -> dict[str, float]:
    """Return what one contender used, after a small listing."""
    count = OPEN[name](url, lake)
    count(b"events/source=000/")
    wall, cpu = time.perf_counter(), time.process_time()
    keys = count(prefix)
    return {
        "keys": keys,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def contend(name: str, url: str, prefix: str, lake: tuple[int, int]) -> dict[str, float]:
    """Return the measures of one contender in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--url", url, "--prefix", prefix]
    command += ["--keys", str(lake[0]), "--prefixes", str(lake[1])]
    keep = {"PATH", "HOME", "VIRTUAL_ENV", "LANG"}
    environment = {name: value for name, value in os.environ.items() if name in keep}
    environment |= {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": "/dev/null",
    }
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def part_of(share: float, prefixes: int) -> str:
    """Return a prefix that holds about ``share`` of the synthetic keys."""
    if share >= 1:
        return "events/"
    return "events/source=0" if prefixes > 100 else "events/"


def table(keys: int, prefixes: int, runs: int) -> None:
    server = subprocess.Popen(
        [sys.executable, TESTS / "s3_server.py", "--keys", str(keys), "--prefixes", str(prefixes)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().strip()
        print(
            f"{keys:,} keys, {prefixes} prefixes; Python {platform.python_version()}, {os.cpu_count()} cores"
        )
        titles = ("contender", "version", "keys", "CPU s/1M", "ratio", "wall s/1M", "RSS MB")
        print("{:<12}{:<10}{:>10}{:>11}{:>8}{:>11}{:>8}".format(*titles))
        ours = None
        for name, share in CONTENDERS.items():
            tries = [
                contend(name, url, part_of(share, prefixes), (keys, prefixes))
                for _ in range(runs if share >= 1 else 1)
            ]
            best = min(tries, key=lambda found: found["cpu_s"])
            scale = 1e6 / best["keys"]
            cpu, wall = best["cpu_s"] * scale, best["wall_s"] * scale
            ours = ours or cpu
            mark = "~" if best["keys"] < keys else ""
            row = (
                name,
                version(VERSIONS[name]),
                best["keys"],
                f"{mark}{cpu:.2f}",
                cpu / ours,
                f"{mark}{wall:.2f}",
            )
            print("{:<12}{:<10}{:>10,}{:>11}{:>7.1f}x{:>11}{:>8.0f}".format(*row, best["rss_mb"]))
        print()
        for name, what in WHAT.items():
            print(f"{name:<12}{what}")
        print(f"~           scaled up from a part; each the best of {runs} runs (slow ones: one)")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--prefixes", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--url")
    parser.add_argument("--prefix", default="events/")
    options = parser.parse_args()
    if options.only:
        print(
            json.dumps(
                measured(options.only, options.url, options.prefix.encode(), (options.keys, options.prefixes))
            )
        )
    else:
        table(options.keys, options.prefixes, options.runs)


def test_listing() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
