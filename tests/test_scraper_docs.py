"""docs/scrapers.md: every example comes to the commands that the page shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from scraper_tasks import NOW, task

from recon.core.command_template import FAMILIES, FIELDS, FILES, LISTS
from recon.core.runs import runs
from recon.settings import load_settings
from recon.settings.sections import ScraperSection

PAGE = (Path(__file__).resolve().parents[1] / "docs/scrapers.md").read_text(encoding="utf-8")
_TASKS = json.loads(re.search(r"^```json tasks\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[1])
_EXAMPLE = re.compile(r"^```yaml scraper\n(.*?)^```\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = _EXAMPLE.findall(PAGE)


@pytest.mark.parametrize(("text", "result"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_comes_to_what_the_page_says(tmp_path, text, result):
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    (tmp_path / "recon.yaml").write_text(f"lake: lake\nscrapers:\n  nba:\n{indented}")
    made = load_settings("recon.yaml", {}, cwd=tmp_path).scrapers["nba"]
    found = runs(made, [task(**one) for one in _TASKS], NOW)
    files = {name: f"{{{name}}}" for name in FILES}
    lines = [shlex.join(run.words(NOW, files)) for run in found.runs]
    assert [*lines, *(f"held: {one.why}" for one in found.held)] == result.splitlines()


def test_the_page_has_its_examples():
    assert len(EXAMPLES) == PAGE.count("```yaml scraper") >= 6


@pytest.mark.parametrize("name", [*FIELDS, *FILES, *LISTS, *FAMILIES, "days_back", "start_year", "end_year"])
def test_every_placeholder_is_explained(name):
    assert re.search(rf"[{{`]{name}\b", PAGE)


@pytest.mark.parametrize("key", [field.alias or name for name, field in ScraperSection.model_fields.items()])
def test_every_key_is_explained(key):
    assert re.search(rf"`{key}\b", PAGE)
