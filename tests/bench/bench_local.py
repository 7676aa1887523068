"""100,000 real files, one an hour and source, some absent: who finds them, and at what cost.

Usage: ``python tests/bench/bench_local.py [--files 100000] [--absent 1000] [--folder DIR] [--tools VENV]``

Every contender is told the same expectation and runs in a fresh process, imports included; its answer is held
against the files left out. CPU is user and system of that process and its children. The files were just
written, or listed by the contender before: the system has their folders in memory. luigi and snakemake are
those of this Python (``make bench`` installs them) or of the virtual environment given by ``--tools``.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

SOURCES = 10
FIRST = datetime(2024, 1, 1)
CONTENT = b'{"rows": 1}\n' * 8
RECON = [sys.executable, "-c", "from recon.cli import main; main()"]


@dataclass(frozen=True)
class Lake:
    """What is expected: a file an hour and source; ``absent`` of them are not there."""

    hours: int
    absent: int
    folders: bool

    def key(self, source: int, hour: datetime) -> str:
        day = f"events/source=s{source:02d}/dt={hour:%Y-%m-%d}"
        return f"{day}/hour={hour:%H}/part-0.json" if self.folders else f"{day}/hour={hour:%H}.json"

    def keys(self) -> Iterable[str]:
        times = [FIRST + timedelta(hours=hour) for hour in range(self.hours)]
        return (self.key(source, hour) for source in range(SOURCES) for hour in times)

    def left_out(self) -> set[int]:
        return set(random.Random(1).sample(range(SOURCES * self.hours), self.absent))

    def lacking(self) -> set[str]:
        left_out = self.left_out()
        return {key for number, key in enumerate(self.keys()) if number in left_out}


def make(place: Path, lake: Lake) -> None:
    """Write the files, unless the folder holds this lake already."""
    told = place / "lake.json"
    if told.exists():
        if json.loads(told.read_text()) != asdict(lake):
            raise SystemExit(f"{place} holds another lake ({told.read_text()}): name another --folder")
        return
    if place.exists() and any(place.iterdir()):
        raise SystemExit(f"{place} is not empty, and holds no finished lake: name another --folder")
    left_out = lake.left_out()
    for number, key in enumerate(lake.keys()):
        if number not in left_out:
            path = place / "lake" / key
            if number % lake.hours == 0 or not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(CONTENT)
    told.write_text(json.dumps(asdict(lake)))


# -- what runs in a contender's process: prints the absent keys ---------------------------------------------


def walk(root: Path, lake: Lake) -> Iterable[str]:
    """Look as a person would: os.walk into a set, and the expected keys less it."""
    there = set()
    cut = len(str(root)) + 1
    for folder, _, names in os.walk(root):
        below = folder[cut:]
        there.update(f"{below}/{name}" for name in names)
    return set(lake.keys()) - there


def luigi(root: Path, lake: Lake, how: str) -> Iterable[str]:
    """Ask luigi's ranges, one for each source, which tasks they require."""
    import luigi as engine
    from luigi.tools.range import RangeHourly, RangeHourlyBase

    def path(source: int, hour: datetime) -> str:
        return f"{root}/{lake.key(source, hour)}"

    class Hour(engine.Task):
        hour = engine.DateHourParameter()
        source = engine.IntParameter()

        def output(self) -> engine.LocalTarget:
            return engine.LocalTarget(path(self.source, self.hour))

    class Listed(Hour):
        @classmethod
        def bulk_complete(cls, hours: list[datetime]) -> list[datetime]:
            # luigi gives a functools.partial of the class, with the range's of_params.
            source = cls.keywords["source"]  # type: ignore[attr-defined]
            last = "hour=*/part-0.json" if lake.folders else "hour=*.json"
            pattern = f"{root}/events/source=s{source:02d}/dt=*/{last}"
            there = set(glob.glob(pattern))  # noqa: PTH207 - pathlib is slower, and paths are texts here
            return [hour for hour in hours if path(source, hour) in there]

    kind, of = {
        "bulk": (RangeHourly, Listed),
        "inferred": (RangeHourly, Hour),
        "each": (RangeHourlyBase, Hour),
    }[how]
    for source in range(SOURCES):
        hours = kind(
            of=of,
            of_params={"source": source},
            start=FIRST,
            stop=FIRST + timedelta(hours=lake.hours),
            hours_back=10**6,
            task_limit=lake.hours,
        )
        yield from (lake.key(source, task.hour) for task in hours.requires())


INSIDE: dict[str, Callable[[Path, Lake], Iterable[str]]] = {
    "os.walk": walk,
    "luigi bulk": lambda root, lake: luigi(root, lake, "bulk"),
    "luigi each": lambda root, lake: luigi(root, lake, "each"),
    "luigi as is": lambda root, lake: luigi(root, lake, "inferred"),
}


# -- contenders ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contender:
    """A command, where it runs, and how its output names the absent keys (or only counts them)."""

    package: str
    what: str
    words: Callable[[Path, str], list[str]]
    answer: Callable[[str, Path], set[str] | int]
    slow: bool = False


def itself(name: str) -> Callable[[Path, str], list[str]]:
    return lambda place, python: [python, __file__, "--one", name, "--folder", str(place)]


def lines(text: str, _: Path) -> set[str]:
    return set(text.splitlines())


def counted(text: str, _: Path) -> int:
    return int(json.loads(text)["verdicts"]["missing"])


def third_column(text: str, _: Path) -> set[str]:
    return {line.split("\t")[2] for line in text.splitlines() if line.startswith("missing\t")}


def outputs(text: str, place: Path) -> set[str]:
    start = f"    output: {place}/lake/"
    return {line.removeprefix(start) for line in text.splitlines() if line.startswith(start)}


def snakemake(place: Path, python: str) -> list[str]:
    # Only what concerns absence: no provenance, no code or parameters compared.
    words = [python, "-m", "snakemake", "-n", "--cores", "1", "--rerun-triggers", "mtime"]
    return [*words, "--snakefile", str(place / "Snakefile"), "--directory", str(place / "snakemake")]


CONTENDERS = {
    "recon run": Contender(
        "recon",
        "recon run --inline --dry-run --json, warm: a whole cycle, its report, and what it would queue",
        lambda _, __: [*RECON, "run", "--inline", "--dry-run", "--json"],
        counted,
    ),
    "recon gaps": Contender(
        "recon",
        "recon gaps --keys: that cycle's absent keys by name, from its state",
        lambda _, __: [*RECON, "gaps", "--keys"],
        third_column,
    ),
    "os.walk": Contender(
        "python", "os.walk into a set, expected keys less that set", itself("os.walk"), lines
    ),
    "luigi bulk": Contender(
        "luigi", "RangeHourly.requires() with a bulk_complete that globs", itself("luigi bulk"), lines
    ),
    "luigi each": Contender(
        "luigi",
        "RangeHourlyBase.requires(), without bulk_complete: complete() of each task",
        itself("luigi each"),
        lines,
        slow=True,
    ),
    "luigi as is": Contender(
        "luigi",
        "RangeHourly without bulk_complete: looks for a glob by its name in LocalFileSystem, finds nothing",
        itself("luigi as is"),
        lines,
        slow=True,
    ),
    "snakemake": Contender(
        "snakemake",
        "snakemake -n --rerun-triggers mtime, a rule all over every key",
        snakemake,
        outputs,
        slow=True,
    ),
}
#: Luigi infers completeness by globs, which its local file system cannot look up: shown, not a contender.
KNOWN_WRONG = {"luigi as is"}


@dataclass(frozen=True)
class Spent:
    """What one run of a contender used."""

    cpu_s: float
    wall_s: float
    rss_mb: float


def measured(contender: Contender, place: Path, python: str) -> tuple[Spent, str]:
    """Return what one fresh process used, and what it printed."""
    environment = {**os.environ, "RECON_CONFIG": str(place / "recon.yaml")}
    told, said = place / "stdout", place / "stderr"
    with told.open("wb") as output, said.open("wb") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            contender.words(place, python), cwd=place, env=environment, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{contender.what} ended with {process.returncode}:\n{said.read_text()}")
    spent = Spent(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss / 1024)
    return spent, told.read_text()


def declare(place: Path, lake: Lake) -> None:
    """Write the same expectation for recon and for snakemake."""
    last = FIRST + timedelta(hours=lake.hours - 1)
    end = "/part-0.json" if lake.folders else ".json"
    pattern = "events/source=s{source}/dt={hour:%Y-%m-%d}/hour={hour:%H}" + end
    (place / "inventory.yaml").write_text(
        "dimensions:\n"
        f"  source: {{integers: '0..{SOURCES - 1}', width: 2}}\n"
        f"  hour: {{every: hour, start: {FIRST:%Y-%m-%dT%H:%M}Z, end: {last:%Y-%m-%dT%H:%M}Z}}\n"
        "expected_coverage:\n  events:\n    data_types:\n      hourly:\n"
        f"        path_patterns: ['{pattern}']\n",
    )
    (place / "recon.yaml").write_text("lake: lake\ninventory: inventory.yaml\n")
    output = f"{place}/lake/events/source={{source}}/dt={{dt}}/hour={{hour}}{end}"
    (place / "keys").write_text("\n".join(lake.keys()))
    (place / "Snakefile").write_text(
        f"KEYS = open({str(place / 'keys')!r}).read().splitlines()\n"
        f"rule all:\n    input: [{str(place / 'lake')!r} + '/' + key for key in KEYS]\n"
        f"rule hour:\n    output: {output!r}\n    shell: 'make-hour {{output}}'\n",
    )


def version_in(python: str, package: str) -> str | None:
    """Return the version of a package that a Python has; None if it has none."""
    if package == "python":
        return platform.python_version()
    words = [python, "-c", "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"]
    done = subprocess.run([*words, package], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def verdict(name: str, found: set[str] | int, absent: set[str]) -> tuple[int, str]:
    """Return how many keys are absent to a contender, and whether they are the right ones."""
    if isinstance(found, int):
        assert found == len(absent), f"{name} counts {found} absent keys of {len(absent)}"
        return found, "same count"
    assert found == absent or name in KNOWN_WRONG, f"{name} names other keys: {sorted(found ^ absent)[:5]}"
    return len(found), "same" if found == absent else "WRONG"


def table(place: Path, lake: Lake, tools: str, runs: int) -> None:
    absent, reports = lake.lacking(), []
    present = SOURCES * lake.hours - lake.absent
    print(
        f"{present:,} files, {lake.absent:,} absent, one an hour for {SOURCES} sources"
        f"{', each in a folder of its own' if lake.folders else ''}; "
        f"Python {platform.python_version()}, {os.cpu_count()} cores",
    )
    titles = ("contender", "version", "CPU s", "ratio", "wall s", "ratio", "RSS MB", "absent", "answer")
    print("{:<13}{:<9}{:>8}{:>8}{:>8}{:>8}{:>8}{:>9}  {}".format(*titles))
    ours: Spent | None = None
    for name, contender in CONTENDERS.items():
        python = sys.executable if contender.package in {"recon", "python"} else tools
        known = version_in(python, contender.package)
        if known is None:
            print(f"{name:<13}not installed (see --tools)")
            continue
        tries = []
        for _ in range(1 if contender.slow else runs):
            spent, text = measured(contender, place, python)
            tries.append(spent)
            count, answer = verdict(name, contender.answer(text, place), absent)
            if name == "recon run":
                reports.append(json.loads(text))
        best = min(tries, key=lambda spent: spent.cpu_s)
        ours = ours or best
        print(
            f"{name:<13}{known:<9}{best.cpu_s:>8.2f}{best.cpu_s / ours.cpu_s:>7.1f}x{best.wall_s:>8.2f}"
            f"{best.wall_s / ours.wall_s:>7.1f}x{best.rss_mb:>8.0f}{count:>9,}  {answer}",
            flush=True,
        )
    print()
    own = min(reports, key=lambda report: report["duration_s"])
    spent_s = own["timings_s"]
    parts = ("plan", "scan", "compare")
    print(
        f"recon's whole comparison: {sum(spent_s[part] for part in parts):.2f} s "
        f"({', '.join(f'{part} {spent_s[part]:.2f}' for part in parts)}), as its report tells; "
        f"with the queues' plan {own['duration_s']:.2f} s",
    )
    for name, contender in CONTENDERS.items():
        print(f"{name:<13}{contender.what}")
    print(f"Each the best of {runs} runs by CPU (slow ones: one).")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000, help="files that are there")
    parser.add_argument("--absent", type=int, default=1000, help="files that are not")
    parser.add_argument("--hour-folders", action="store_true", help="a folder for every hour's file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="make the lake here and keep it, or use the one here")
    parser.add_argument("--tools", type=Path, metavar="VENV", help="luigi and snakemake are in this one")
    parser.add_argument("--one", choices=INSIDE)
    chosen = parser.parse_args()
    if chosen.one:
        lake = Lake(**json.loads((chosen.folder / "lake.json").read_text()))
        print("\n".join(INSIDE[chosen.one](chosen.folder / "lake", lake)))
        return
    hours, rest = divmod(chosen.files + chosen.absent, SOURCES)
    if rest:
        raise SystemExit(f"--files and --absent together must be a multiple of {SOURCES}")
    tools = str(chosen.tools / "bin" / "python") if chosen.tools else sys.executable
    if not Path(tools).exists():
        raise SystemExit(f"{tools}: not there; --tools wants a virtual environment's folder")
    lake = Lake(hours, chosen.absent, chosen.hour_folders)
    with tempfile.TemporaryDirectory() as made:
        place = (chosen.folder or Path(made)).resolve()
        make(place, lake)
        declare(place, lake)
        try:
            cold, _ = measured(CONTENDERS["recon run"], place, sys.executable)
            table(place, lake, tools, chosen.runs)
            print(f"recon's first run took {cold.wall_s:.2f} s: it started the embedded broker.")
        finally:
            environment = {**os.environ, "RECON_CONFIG": str(place / "recon.yaml")}
            subprocess.run([*RECON, "down"], cwd=place, env=environment, capture_output=True, check=False)


def test_local() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
