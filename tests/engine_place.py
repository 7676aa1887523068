"""A private engine for one test: its own folder, configuration, lake and state; everything is stopped."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from in_process import Done, called

from recon.adapters.sample_lake import NAME, ensure_sample_lake

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class EnginePlace:
    """A working directory with the shipped configuration in it."""

    folder: Path

    def recon(self, *words: str) -> Done:
        """Run one command: in this process, or in one of its own where it starts workers."""
        if words[0] != "run" or "--inline" in words:
            return called(self.folder, words)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECON_")}
        done = subprocess.run(
            [sys.executable, "-c", "from recon.cli import main; main()", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *words: str) -> dict[str, Any]:
        done = self.recon("run", "--json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def gap_keys(self, *words: str) -> dict[str, str]:
        """Return key -> reason of every gap of the last cycle."""
        lines = self.recon("gaps", "--keys", *words).stdout.splitlines()
        return {key: reason for reason, _, key in (line.split("\t") for line in lines)}

    @property
    def lake(self) -> Path:
        return self.folder / "sample-lake"

    @property
    def manifest(self) -> dict[str, list[str]]:
        return json.loads((self.folder / "sample-lake.manifest.json").read_text())


def new_place(folder: Path) -> EnginePlace:
    """Return a place with a copy of the shipped configuration; its first run makes the sample lake."""
    shutil.copytree(REPOSITORY / "config", folder / "config")
    return EnginePlace(folder)


def sampled_place(folder: Path, sample: Path) -> EnginePlace:
    """Return a new place whose lake is the shared sample: nothing may be written to it."""
    made = new_place(folder)
    made.lake.symlink_to(sample)
    shutil.copy(f"{sample}.manifest.json", folder)
    return made


def own_sampled_place(folder: Path, sample: Path) -> EnginePlace:
    """Return a new place with a sample lake of its own: objects may come and go, or be replaced whole."""
    made = new_place(folder)
    own_sample(made.lake, sample)
    shutil.copy(f"{sample}.manifest.json", folder)
    return made


def own_sample(lake: Path, sample: Path) -> None:
    """Make a sample lake of the shared one's files: making 20,000 new ones takes 10 s of a core."""
    shutil.copytree(sample, lake, copy_function=os.link)


def shared_sample(basetemp: Path) -> Path:
    """Return the sample lake that all processes of this test run share."""
    run = basetemp.parent if "PYTEST_XDIST_WORKER" in os.environ else basetemp
    lake = run / "shared" / NAME
    with (run / "sample.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_sample_lake(lake, datetime.now(UTC))
    return lake
