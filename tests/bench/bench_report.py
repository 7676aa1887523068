"""What reading an AWS S3 Inventory report costs: ours beside DuckDB's SQL (Parquet), and beside CSV parsing.

Usage: ``python tests/bench/bench_report.py [--rows 10000000] [--e-tags] [--no-csv]``

Expected: 300 folders x N ids. The reports (``tests/aws_reports.py``) hold them shuffled over several data
files (bucket, key, size, time, storage class), 1 % missing, 1 % too small and 0.1 % that nothing expects.
Each contender runs in a fresh process; CPU is user and system of the whole process, imports included.
``recon`` checks each file's size and MD5, reads, sketches and judges; DuckDB joins the same files with a
table of the expected keys and their seasons, and checks nothing. Both must name the same missing and small
keys, each season's objects, bytes and newest time, and the number of objects that nothing expects.

Over 20 M rows DuckDB is left out: it holds the join in memory (13 GB at 100 M).

Reading CSV stands beside pyarrow inflating and parsing the same columns of the same files (keys stay encoded,
nothing is checked); both must come to the same rows and sums.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FOLDERS = 300
TEAMS = [f"T{number:02d}" for number in range(12)]
SEASONS = [f"{year}-{(year + 1) % 100:02d}" for year in range(1996, 2021)]
NOW = datetime(2025, 11, 1, 1, tzinfo=UTC)
SMALL = 150
#: Rows of a data file.
PART = 1_250_000
#: A prime above any number of rows: steps of it visit every row once, far from the one before.
STRIDE = (1 << 31) - 1
MISSING_SHARE = 0.01
STRANGE_SHARE = 0.001
#: Rows up to which DuckDB runs.
DUCKDB_MAX = 20_000_000


def expected(places):
    """Return keys and seasons of expected rows as a polars frame."""
    import polars as pl

    names = pl.Series([f"nba/season={season}/team={team}/part-" for season in SEASONS for team in TEAMS])
    number = pl.Series(places // FOLDERS).cast(pl.String).str.zfill(7)
    season = pl.Series(SEASONS).gather(places % FOLDERS // len(TEAMS))
    return pl.select(key=pl.lit(names.gather(places % FOLDERS)) + pl.lit(number) + ".json", season=season)


def generate(folder: Path, rows: int, kinds: list[str], *, e_tags: bool) -> None:
    """Write expected.parquet, and one report of each kind."""
    import numpy as np
    import polars as pl
    import pyarrow.parquet as pq
    from aws_reports import CURRENT, Style, into, write_report

    total = -(-rows // FOLDERS) * FOLDERS
    with pq.ParquetWriter(folder / "expected.parquet", expected(np.arange(1)).to_arrow().schema) as file:
        for low in range(0, total, PART):
            file.write_table(expected(np.arange(low, min(low + PART, total))).to_arrow())

    def frames() -> Iterator[pl.DataFrame]:
        for part, low in enumerate(range(0, total, PART)):
            random = np.random.default_rng(part)
            places = np.arange(low, min(low + PART, total)) * (STRIDE % total) % total
            places = places[random.random(len(places)) > MISSING_SHARE]
            strange = places[random.random(len(places)) < STRANGE_SHARE]
            found = pl.concat([expected(places)["key"], expected(strange)["key"] + ".tmp"])
            frame = pl.DataFrame(
                {
                    "key": found.cast(pl.Binary),
                    "size": random.integers(100, 5100, len(found)),
                    "last_modified_date": random.integers(1_600_000_000, 1_700_000_000, len(found)) * 1000,
                }
            )
            if e_tags:
                halves = [pl.Series(random.integers(0, 1 << 62, len(found))) for _ in range(2)]
                frame = frame.with_columns(e_tag=pl.concat_str([half.cast(pl.String) for half in halves]))
            yield frame

    columns = CURRENT if e_tags else tuple(name for name in CURRENT if name != "e_tag")
    for kind in kinds:
        style = Style(columns=columns)
        report = write_report(into(folder), frames(), kind=kind, at=NOW, config=kind, style=style)
        (folder / f"{kind}.manifest").write_text(report.manifest)


def pages(folder: Path, kind: str):
    """Yield every batch of a report, checked, as a worker reads it."""
    from recon.adapters.aws_report import AwsReportFiles
    from recon.adapters.local_lister import LocalLister
    from recon.core.aws_manifest import read_manifest

    path = folder / (folder / f"{kind}.manifest").read_text()
    content = path.read_bytes()
    checksum = path.with_name("manifest.checksum").read_bytes()
    manifest = read_manifest(content, checksum, hashlib.md5(content).hexdigest())
    files = AwsReportFiles(LocalLister(folder))
    for file in manifest.files:
        for page in files.pages(manifest, file, b""):
            yield page.batch


def recon(folder: Path, rows: int) -> str:
    """Return the answer by recon's sketch and verdicts."""
    import numpy as np

    from recon.core.binding import bind
    from recon.core.block import ordinals_of
    from recon.core.dimensions import parse_dimension
    from recon.core.domain import Domain
    from recon.core.inventory import Dataset, Inventory, PatternSpec
    from recon.core.shards import observed
    from recon.core.sketcher import Sketcher
    from recon.core.verdicts import facts_of, unobserved, verdicts
    from recon.model import KeyRange, Verdict

    ids = -(-rows // FOLDERS)
    dimensions = {
        "season": {"values": SEASONS},
        "team": {"values": TEAMS},
        "n": {"integers": f"0..{ids - 1}", "width": 7},
    }
    text = "nba/season={season}/team={team}/part-{n}.json"
    parts = Dataset(
        "nba",
        "parts",
        "",
        (PatternSpec(text, ""),),
        scraper="nba",
        min_size_bytes=SMALL,
        partition=("season",),
    )
    declared = Inventory(
        dimensions=tuple(parse_dimension(name, value) for name, value in dimensions.items()),
        datasets=(parts,),
    )
    now = np.datetime64("2025-11-01T00:00:00", "s")
    (bound,) = bind(declared, {}, now).types
    domain = Domain(bound, bound.expectations[0])
    sketcher = Sketcher([domain], now)
    for batch in pages(folder, "Parquet"):
        sketcher.add(batch, ascending=False)
    seen = sketcher.domains()[0]
    unseen = unobserved(domain, observed([KeyRange(b"")]), domain.expected - seen.present)
    found = verdicts(facts_of(domain, seen, unseen, (), now))
    answer = Answer()
    for verdict in (Verdict.MISSING, Verdict.SMALL):
        ordinals = ordinals_of(found[verdict])
        for low in range(0, len(ordinals), PART):
            answer.add(verdict.value, domain.decode(ordinals[low : low + PART]))
    tally = seen.tally
    rows_by_season = zip(
        domain.partitions.labels, tally.objects, tally.size_bytes, tally.newest_ms, strict=True
    )
    told = {label[0][1]: list(map(int, numbers)) for label, *numbers in rows_by_season}
    return answer.text(told, sketcher.unexpected)


def duckdb(folder: Path, _: int) -> str:
    """Return the same by one query: a full join, grouped by season; what nothing expects has none."""
    import duckdb as engine
    import polars as pl

    files = (folder / (folder / "Parquet.manifest").read_text()).parents[1] / "data"
    query = (
        "select e.season, count(o.key), sum(o.size)::bigint, epoch_ms(max(o.last_modified_date)), "
        "list(e.key) filter (o.key is null), "
        f"list(e.key) filter (o.size < {SMALL}) from '{folder}/expected.parquet' e "
        f"full join '{files}/*.parquet' o on e.key = o.key group by e.season"
    )
    found = engine.sql(query).fetchall()
    seasons = [row for row in found if row[0] is not None]
    answer = Answer()
    for name, column in (("missing", 4), ("small", 5)):
        for season in seasons:
            answer.add(name, pl.Series(season[column] or [], dtype=pl.String))
    unexpected = sum(row[1] for row in found if row[0] is None)
    return answer.text({season: told for season, *told, _, _ in seasons}, unexpected)


class Answer:
    """A digest of keys under verdicts that needs no order."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}

    def add(self, verdict: str, found) -> None:
        """Take some keys of a verdict."""
        import numpy as np

        count = self.counts.setdefault(verdict, [0, 0])
        count[0] += len(found)
        count[1] += int(found.hash(7).to_numpy().sum(dtype=np.uint64))
        count[1] %= 1 << 64

    def text(self, seasons: dict[str, list[int]], unexpected: int) -> str:
        """Return counts and digests, and one of what each season holds."""
        named = ", ".join(f"{count:,} {name} ({total:016x})" for name, (count, total) in self.counts.items())
        told = blake2b(json.dumps(sorted(seasons.items())).encode(), digest_size=8).hexdigest()
        return f"{named}, {len(seasons)} seasons ({told}), {unexpected:,} unexpected"


def csv_recon(folder: Path, _: int) -> str:
    """Return rows, bytes and times of the CSV report by recon's reading: size and MD5, keys decoded."""
    return summed(pages(folder, "CSV"))


def csv_pyarrow(folder: Path, _: int) -> str:
    """Return the same by inflating and parsing alone; keys stay URL-encoded, nothing is checked."""
    import pyarrow as pa
    from pyarrow import csv

    names = ["bucket", "key", "size", "mtime", "storage_class"]
    types = {"key": pa.large_binary(), "size": pa.int64(), "mtime": pa.timestamp("ms", "UTC")}

    def batches() -> Iterator[pa.RecordBatch]:
        manifest = json.loads((folder / (folder / "CSV.manifest").read_text()).read_text())
        for file in manifest["files"]:
            with pa.input_stream(str(folder / file["key"]), compression="gzip") as stream:
                told = names if "ETag" not in manifest["fileSchema"] else [*names[:4], "e_tag", names[4]]
                read = csv.ReadOptions(use_threads=False, block_size=8 << 20, column_names=told)
                convert = csv.ConvertOptions(include_columns=list(types), column_types=types)
                yield from csv.open_csv(stream, read, convert_options=convert)

    return summed(batches())


def summed(batches) -> str:
    """Return how many rows there are, and what their sizes and times add up to."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = size = mtime = 0
    for batch in batches:
        rows += batch.num_rows
        size += pc.sum(batch.column("size")).as_py()
        mtime += pc.sum(batch.column("mtime").cast(pa.int64())).as_py()
    return f"{rows:,} rows, {size:,} bytes, times {mtime % 1_000_007}"


CONTENDERS: dict[str, Callable[[Path, int], str]] = {
    "duckdb": duckdb,
    "recon": recon,
    "csv_pyarrow": csv_pyarrow,
    "csv_recon": csv_recon,
}
#: Contenders that answer one question; the others are compared with the first.
QUESTIONS = {
    "Parquet report, checked, read, compared": ["duckdb", "recon"],
    "CSV report, inflated and parsed": ["csv_pyarrow", "csv_recon"],
}


def one(name: str, folder: Path, rows: int) -> None:
    """Run one contender and say what it took."""
    answer = CONTENDERS[name](folder, rows)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = usage.ru_utime + usage.ru_stime
    print(json.dumps({"cpu_s": cpu_s, "rss_mb": usage.ru_maxrss / 1024, "answer": answer}))


def measured(name: str, folder: Path, rows: int) -> dict[str, object]:
    """Run one contender in a fresh process."""
    words = [sys.executable, __file__, "--one", name, "--folder", str(folder), "--rows", str(rows)]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def table(title: str, names: list[str], folder: Path, rows: int) -> None:
    """Print one question's table."""
    results = {name: measured(name, folder, rows) for name in names}
    base = results[names[0]]
    print(title)
    print(
        "{:<14}{:<10}{:>8}{:>8}{:>9}{:>8}  {}".format(
            "contender", "version", "CPU s", "ratio", "RSS MB", "ratio", "answer"
        )
    )
    for name, found in results.items():
        cpu, rss = float(found["cpu_s"]), float(found["rss_mb"])
        same = "" if name == names[0] else ("same" if found["answer"] == base["answer"] else "DIFFERENT")
        print(
            f"{name:<14}{version(name.removeprefix('csv_')):<10}{cpu:>8.2f}{cpu / float(base['cpu_s']):>8.2f}"
            f"{rss:>9.0f}{rss / float(base['rss_mb']):>8.2f}  {same or found['answer']}"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--e-tags", action="store_true", help="with a column of ETags, which no codec shrinks"
    )
    parser.add_argument("--no-csv", action="store_true", help="the Parquet report only")
    parser.add_argument("--one", choices=CONTENDERS)
    parser.add_argument("--generate", action="store_true")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    kinds = ["Parquet"] if chosen.no_csv else ["Parquet", "CSV"]
    if chosen.generate:
        generate(chosen.folder, chosen.rows, kinds, e_tags=chosen.e_tags)
        return
    if chosen.one:
        one(chosen.one, chosen.folder, chosen.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a forked child's peak memory begins at its parent's.
        passed = [word for word in sys.argv[1:] if word in {"--e-tags", "--no-csv"}]
        words = [sys.executable, __file__, "--generate", "--folder", folder, "--rows", str(chosen.rows)]
        subprocess.run([*words, *passed], check=True)
        print(f"{chosen.rows:,} rows expected")
        for title, names in list(QUESTIONS.items())[: len(kinds)]:
            fit = [name for name in names if name != "duckdb" or chosen.rows <= DUCKDB_MAX]
            table(title, fit, Path(folder), chosen.rows)


def test_report() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
