"""docs/migrating.md holds: its table names every key of the owner's file, and its steps go as it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from recon.settings import settings_schema
from recon.strict_yaml import plain, read_document

ROOT = Path(__file__).resolve().parents[1]
OWNER = ROOT.parent / "shared/owner-config"
if not OWNER.exists():  # a worktree lies one folder deeper
    OWNER = ROOT.parents[1] / "shared/owner-config"
PAGE = (ROOT / "docs/migrating.md").read_text("utf-8")
TABLE = PAGE.partition("## What each key means now")[2]
NAMED = {
    name
    for row in re.findall(r"^\| (`.*?) \|", TABLE, re.MULTILINE)
    for name in re.findall(r"`([^`]+)`", row)
}
FOUND, WANTED = "hoopr_parquet/play_by_play/nba_data_2004.parquet", "basketball_reference/nba/leaders/2024"

needs_owner = pytest.mark.skipif(
    not OWNER.exists(), reason="the owner's files are not here (expected in ../shared/owner-config)"
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, str(key)))
    else:
        yield ".".join(path)


def schema_leaves(shape: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of every key of the schema; a family's keys begin with ``*``."""
    whole = settings_schema()
    for one in (shape, *shape.get("anyOf", ()), *shape.get("allOf", ())):
        if "$ref" in one:
            yield from schema_leaves(whole["$defs"][one["$ref"].rpartition("/")[2]], path)
        for key, below in one.get("properties", {}).items():
            yield ".".join((*path, key))
            yield from schema_leaves(below, (*path, key))
        for key, below in one.get("patternProperties", {}).items():
            yield from schema_leaves(below, (*path, f"*{key.strip('^$').lstrip('.*+')}"))


@needs_owner
def test_the_table_names_every_key_of_the_owners_file():
    keys = set(leaves(plain(read_document(OWNER / "reconciliation_config.yaml").value)))
    assert len(keys) > 80
    assert {key for key in keys if not any(fnmatchcase(key, name) for name in NAMED)} == set()


@needs_owner
def test_the_table_names_no_key_that_neither_the_owner_nor_the_schema_has():
    keys = {
        *leaves(plain(read_document(OWNER / "reconciliation_config.yaml").value)),
        *schema_leaves(settings_schema()),
    }
    assert {name for name in NAMED if not any(fnmatchcase(key, name) for key in keys)} == set()


class Place:
    """The guide's folder: the owner's files over a lake that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("reconciliation_config.yaml", "data_inventory.yaml"):
            shutil.copy(OWNER / name, folder / name)
        for year in range(2004, 2020):
            file = folder / "lake" / FOUND.replace("2004", str(year))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x" * 200)

    def sh(
        self, command: str, config: str = "reconciliation_config.yaml"
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("RECON_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RECON_CONFIG": str(self.folder / config),
            "RECON_LAKE": str(self.folder / "lake"),
        }
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def step(beginning: str) -> str:
    """Return the guide's one command that begins so."""
    (line,) = re.findall(rf"^{re.escape(beginning)}.*$", PAGE, re.MULTILINE)
    return line


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.sh("recon down")


@needs_owner
def test_validate_says_what_the_guide_quotes(place):
    done = place.sh("recon validate")
    assert done.returncode == 0, done.stderr
    warned = re.findall(r"^\| `+ ?(.*?) ?`+[^|]* \| [^|]+ \| ", PAGE.partition("## 2.")[0], re.MULTILINE)
    assert len(warned) == 9
    for quoted in warned:
        assert all(part in done.stderr + done.stdout for part in quoted.split("…")), quoted
    assert (done.stderr + done.stdout).count("its description says") == 17


@needs_owner
def test_the_lines_that_validate_offers_end_its_warnings_of_seasons_and_prefixes(place):
    inventory, settings = place.folder / "data_inventory.yaml", place.folder / "reconciliation_config.yaml"
    said = place.sh("recon validate").stderr
    offers = re.findall(r"yaml:(\d+):7: .* write '(seasons: [^']+)'", said)
    lines = inventory.read_text("utf-8").replace("expected_years: 63", "expected_years: 80").split("\n")
    for number, line in reversed(offers):
        lines.insert(int(number), f"        {line}")
    inventory.write_text("\n".join(lines), "utf-8")
    settings.write_text(
        settings.read_text("utf-8").replace(
            "    - nba_pbp\n", "    - nba_api_comprehensive\n    - nba_pbp\n"
        ),
        "utf-8",
    )
    done = place.sh("recon validate")
    assert (done.returncode, len(offers)) == (0, 17)
    assert not re.search("its description says|expected_years says|lies outside", done.stderr)


@needs_owner
def test_a_shadow_cycle_queues_and_writes_nothing_and_is_remembered(place):
    place.sh(step("cp reconciliation_config") + "\n" + step("sed -i 's/^  sample_rate"))
    shadow = (place.folder / "shadow.yaml").read_text("utf-8")
    assert (shadow.count("sample_rate: null\n"), shadow.count("health_check_port: 8051\n")) == (1, 1)
    cycles = []
    for _ in range(2):
        done = place.sh("recon run --inline --dry-run --json", "shadow.yaml")
        assert done.returncode == 0, done.stderr
        cycles.append(json.loads(done.stdout)["cycle_id"])
    assert not (place.folder / "inventory").exists()
    gaps = place.sh("recon gaps --keys", "shadow.yaml").stdout
    assert f"{WANTED}/leaders.json" in gaps
    assert "no dry runs" in place.sh("recon diff", "shadow.yaml").stderr
    assert "0 opened, 0 closed" in place.sh(f"recon diff {cycles[0]} {cycles[1]}", "shadow.yaml").stdout


@needs_owner
def test_gaps_json_is_in_the_old_shape_and_there_are_no_queues_to_work(place):
    place.sh(step("sed -i 's/^  output_file"))
    done = place.sh("recon run --inline --json")
    assert done.returncode == 0, done.stderr
    document = json.loads((place.folder / "inventory/gaps.json").read_text("utf-8"))
    shape = re.search(r"in the older shape: (.*?)\. New", PAGE, re.DOTALL)
    assert list(document) == re.findall(r"`(\w+)`", shape[1])
    assert document["total_tasks"] == len(document["tasks"]) == sum(document["by_priority"].values()) > 0
    assert set(document["by_scraper"]) <= {
        "basketball_reference_incremental_scraper", "hoopr_incremental_simple",
    }  # fmt: skip
    for task in document["tasks"]:
        assert task["priority"] in {"CRITICAL", "HIGH", "MEDIUM", "LOW"}
        assert task["estimated_time_minutes"] >= 1
        assert task["missing_files"] == len(task["keys"]) or task["gap_type"] == "incomplete"
    assert "there are no queues" in place.sh("recon work --once").stderr
