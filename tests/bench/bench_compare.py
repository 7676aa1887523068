"""What comparing expected with observed keys costs: ours beside DuckDB's full outer join, pandas beside both.

Usage: ``python tests/bench/bench_compare.py [--rows 10000000] [--pandas]``

Expected: 300 folders x N ids. Observed: a shuffled Parquet file (key, size, mtime) with 1 % of them missing.
Each contender runs in a fresh process; CPU is user and system of the whole process, imports included. All
must name the same missing keys (compared by a digest over the sorted keys).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

FOLDERS = 300
TEAMS = [f"T{number:02d}" for number in range(12)]
SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(1996, 2021)]


def generate(folder: Path, rows: int) -> None:
    """Write expected.parquet and observed.parquet."""
    import numpy as np
    import polars as pl

    ids = -(-rows // FOLDERS)
    places = np.arange(FOLDERS * ids)
    names = pl.Series([f"nba/{season}/{team}/part-" for season in SEASONS for team in TEAMS])
    number = pl.Series(places % ids).cast(pl.String).str.zfill(7)
    expected = pl.select((pl.lit(names.gather(places // ids)) + pl.lit(number) + ".json").alias("key"))
    expected.write_parquet(folder / "expected.parquet")
    random = np.random.default_rng(1)
    kept = expected.filter(pl.Series(random.random(expected.height) > 0.01))
    sizes = pl.Series("size", random.integers(100, 5000, kept.height))
    seconds = pl.Series("mtime", random.integers(1_600_000_000, 1_700_000_000, kept.height) * 1000)
    observed = kept.with_columns(sizes, seconds.cast(pl.Datetime("ms", "UTC")))
    observed = observed.sample(fraction=1, shuffle=True, seed=3)
    observed.write_parquet(folder / "observed.parquet", row_group_size=500_000)


def ours(folder: Path, rows: int) -> Iterable[str]:
    """Return the missing keys, by recon's sketch and verdicts."""
    import numpy as np
    import pyarrow.parquet as pq
    from pyroaring import BitMap

    from recon.core.binding import bind
    from recon.core.block import ordinals_of
    from recon.core.dimensions import parse_dimension
    from recon.core.domain import Domain
    from recon.core.inventory import Dataset, Inventory, PatternSpec
    from recon.core.sketcher import Sketcher
    from recon.core.verdicts import facts_of, verdicts
    from recon.model import Verdict

    ids = -(-rows // FOLDERS)
    dimensions = {
        "season": {"values": SEASONS},
        "team": {"values": TEAMS},
        "n": {"integers": f"0..{ids - 1}", "width": 7},
    }
    declared = Inventory(
        dimensions=tuple(parse_dimension(name, value) for name, value in dimensions.items()),
        datasets=(
            Dataset(
                "nba", "parts", "", (PatternSpec("nba/{season}/{team}/part-{n}.json", ""),), scraper="nba"
            ),
        ),
    )
    now = np.datetime64("2025-11-01T00:00:00", "s")
    (bound,) = bind(declared, {}, now).types
    domain = Domain(bound, bound.expectations[0])
    sketcher = Sketcher([domain], now)
    report = pq.ParquetFile(folder / "observed.parquet")
    for group in range(report.num_row_groups):
        sketcher.add(report.read_row_group(group, use_threads=False), ascending=False)
    seen = sketcher.domains()[0]
    found = verdicts(facts_of(domain, seen, BitMap(), (), now))
    assert isinstance(found[Verdict.MISSING], BitMap)
    return domain.decode(ordinals_of(found[Verdict.MISSING])).to_list()


def duckdb(folder: Path, _: int) -> Iterable[str]:
    """Return the missing keys, by DuckDB's full outer join (which could name unexpected ones too)."""
    import duckdb as engine

    query = (
        f"select e.key, o.key is null from '{folder}/expected.parquet' e "
        f"full outer join '{folder}/observed.parquet' o on e.key = o.key where o.key is null or e.key is null"
    )
    return [key for key, missing in engine.connect().execute(query).fetchall() if missing]


def pandas(folder: Path, _: int) -> Iterable[str]:
    """Return the missing keys, by pandas' outer merge."""
    import pandas as pd

    expected = pd.read_parquet(folder / "expected.parquet")
    observed = pd.read_parquet(folder / "observed.parquet")
    merged = expected.merge(observed, on="key", how="outer", indicator=True)
    return merged.loc[merged["_merge"] == "left_only", "key"].tolist()


CONTENDERS: dict[str, Callable[[Path, int], Iterable[str]]] = {
    "recon": ours,
    "duckdb": duckdb,
    "pandas": pandas,
}


def measured(name: str, folder: Path, rows: int) -> dict[str, object]:
    """Run one contender in a fresh process."""
    words = [sys.executable, __file__, "--one", name, "--folder", str(folder), "--rows", str(rows)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def one(name: str, folder: Path, rows: int) -> None:
    missing = sorted(CONTENDERS[name](folder, rows))
    digest = blake2b("\n".join(missing).encode(), digest_size=8).hexdigest()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = usage.ru_utime + usage.ru_stime
    print(
        json.dumps(
            {"cpu_s": cpu_s, "rss_mb": usage.ru_maxrss / 1024, "missing": len(missing), "digest": digest}
        )
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pandas", action="store_true", help="pandas too (minutes and gigabytes)")
    parser.add_argument("--one", choices=CONTENDERS)
    parser.add_argument("--generate", action="store_true")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    if chosen.generate:
        generate(chosen.folder, chosen.rows)
        return
    if chosen.one:
        one(chosen.one, chosen.folder, chosen.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a forked child's peak memory begins at its parent's.
        words = [sys.executable, __file__, "--generate", "--folder", folder, "--rows", str(chosen.rows)]
        subprocess.run(words, check=True)
        names = ["duckdb", "recon", *(["pandas"] if chosen.pandas else [])]
        results = {name: measured(name, Path(folder), chosen.rows) for name in names}
    base = results["duckdb"]
    print(f"{chosen.rows:,} expected x observed rows")
    titles = ("contender", "version", "CPU s", "ratio", "RSS MB", "ratio", "missing", "answer")
    print("{:<10}{:<10}{:>8}{:>8}{:>9}{:>8}{:>10}  {}".format(*titles))
    for name, found in results.items():
        cpu, rss = float(found["cpu_s"]), float(found["rss_mb"])
        same = "same" if found["digest"] == base["digest"] else "DIFFERENT"
        print(
            f"{name:<10}{version(name):<10}{cpu:>8.2f}{cpu / float(base['cpu_s']):>8.2f}{rss:>9.0f}"
            f"{rss / float(base['rss_mb']):>8.2f}{found['missing']:>10,}  {same}",
        )


def test_compare() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
