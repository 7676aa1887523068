"""What the brake costs a cycle over many keys: nothing moved, and a dimension that grew in the middle.

Usage: ``python tests/bench/bench_brake.py [--rows 10000000]``

A lake of 300 folders x N ids, 1 % of it missing, and a baseline of which another 1 % vanished since. CPU is
user and system of the brake alone: load the baseline's plan and sketch, cross ordinals, find losses, decide.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from pyroaring import BitMap

from recon import cycle, sketch_file
from recon import plan as plans
from recon.adapters.local_lister import LocalLister
from recon.adapters.state_queue import StateTaskQueue
from recon.adapters.state_store import MemoryStateStore
from recon.brake import braking
from recon.brake_record import remember
from recon.core.block import bitmap
from recon.core.dimensions import parse_dimension
from recon.core.inventory import Dataset, Inventory, PatternSpec
from recon.core.sketch import DomainSketch, ShardFacts, ShardSketch, Tally
from recon.cycle import Ports
from recon.plan import Options, Plan, PlannedRange, PlannedShard

TEAMS = [f"T{number:02d}" for number in range(12)]
SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(1996, 2021)]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def declared(teams: list[str], ids: int) -> Inventory:
    """Return seasons x teams x ids."""
    values = {
        "season": {"values": SEASONS},
        "team": {"values": teams},
        "n": {"integers": f"0..{ids - 1}", "width": 7},
    }
    pattern = PatternSpec("nba/{season}/{team}/part-{n}.json", "")
    return Inventory(
        dimensions=tuple(parse_dimension(name, value) for name, value in values.items()),
        datasets=(Dataset("nba", "parts", "", (pattern,), scraper="nba"),),
    )


def cycled(ports: Ports, cycle_id: str, inventory: Inventory, missing: float) -> tuple[float, float]:
    """Put a plan and a sketch into the state; return the CPU seconds of comparing and of the brake."""
    at = NOW + timedelta(hours=int(cycle_id))
    shard = PlannedShard("all", (PlannedRange(b"", b"", None),))
    plan = Plan(cycle_id, at, inventory, Options("file:///lake"), (shard,))
    plans.save(ports.state, plan, {})
    judged = plans.load(ports.state, cycle_id)
    (domain,) = judged.domains
    kept = np.random.default_rng(1).random(domain.size) > missing
    present = bitmap(np.flatnonzero(kept))
    tally = replace(
        Tally.zero(len(domain.partitions.labels)), objects=np.ones(len(domain.partitions.labels), np.int64)
    )
    facts = ShardFacts("all", at.isoformat(), at.isoformat(), objects=len(present))
    sketch = ShardSketch(facts, {0: DomainSketch(present, BitMap(), BitMap(), tally)})
    ports.state.put(f"cycles/{cycle_id}/shards/all.arrow", sketch_file.encoded(sketch))
    started = time.process_time()
    found = cycle.compare(ports, judged)
    together = time.process_time() - started
    started = time.process_time()
    braked = braking(ports.lister, ports.state, found)
    alone = time.process_time() - started
    remember(ports.state, braked)
    return together - alone, alone


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    ids = -(-rows // (len(TEAMS) * len(SEASONS)))
    state = MemoryStateStore()
    queue = StateTaskQueue(state, lake="file:///lake")
    ports = Ports(LocalLister("/nonexistent"), state, state, queue, lambda: NOW, lambda: None)
    print(f"{rows:,} expected keys\n{'cycle':<34}{'compare CPU s':>14}{'brake CPU s':>13}")
    for number, (name, teams, missing) in enumerate(
        [
            ("first run: no baseline", TEAMS, 0.01),
            ("1 % more vanished", TEAMS, 0.02),
            ("a team more, in the middle", ["A", *TEAMS], 0.02),
        ]
    ):
        compare, brake = cycled(ports, str(number), declared(teams, ids), missing)
        print(f"{name:<34}{compare:>14.2f}{brake:>13.2f}")


def test_brake() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
