"""A scraper for the sample lake: it leases tasks, writes what they ask for into the folder, and says so.

Usage: ``python examples/fill_lake.py REDIS_URL [--pause SECONDS]``. A real one would fetch what it writes.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping
from pathlib import Path

from recon.sdk import Consumer, Task


def keys_of(task: Task) -> list[str]:
    """Return the keys to write: those it names, or as many new ones as its partition lacks."""
    if task.keys:
        return list(task.keys)
    lacking = task.expect["expected"] - task.expect["have"]
    return [new_key(task.pattern, task.partition, f"{task.id[:8]}-{number}") for number in range(lacking)]


def new_key(pattern: str, partition: Mapping[str, str], name: str) -> str:
    """Return a key of a pattern: its partition's values, and ``name`` for what is free."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: partition.get(found[1], name), pattern)


def write(lake: Path, key: str, size: int) -> None:
    """Write one object whole: aside, then renamed."""
    path = lake / key
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(b"x" * size)
    aside.rename(path)


def main() -> None:
    """Work until a signal says stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("redis_url")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that each object takes")
    chosen = parser.parse_args()
    with Consumer(chosen.redis_url, visibility_s=10) as consumer:
        consumer.stop_on_signals()
        for task in consumer:
            with task:
                lake = Path(task.lake.removeprefix("file://"))
                for key in keys_of(task):
                    write(lake, key, max(int(task.expect.get("min_size_bytes", 1)), 1))
                    time.sleep(chosen.pause)
                task.done()


if __name__ == "__main__":
    main()
