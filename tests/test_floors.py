"""The floors hold because a breach fails the build: each kind is planted in a copy, and must be named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLANTS = {
    "recon/core/rank.py": "import redis\n",
    "recon/attic.py": '"""A module that nobody gave a floor."""\n',
    "recon/core/durations.py": "import recon.wiring\n",
    "recon/model.py": "import recon.ports\n",
    "recon/report.py": "import yaml\n",
    "recon/memory.py": "import celery\n",
    "recon/sdk/hand.py": "import polars\n",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    copy = tmp_path_factory.mktemp("breached")
    for folder in ("recon", "workers"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, line in PLANTS.items():
        with (copy / name).open("a") as file:
            file.write(line)
    words = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(words, cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    return " ".join(run.stdout.split())


@pytest.mark.parametrize(
    "named",
    [
        "core is pure: no clients, files, clocks of its own BROKEN",
        "recon.core.rank -> redis",
        "recon.core.durations -> recon.wiring",
        "recon.model -> recon.ports",
        "recon.report -> yaml",
        "recon.memory -> celery",
        "recon.sdk.hand -> polars",
        "attic",
        "Only the Redis adapters import the Redis client BROKEN",
    ],
)
def test_a_breach_is_named_with_its_rule_and_modules(complaints, named):
    assert named in complaints
