"""The fault matrix names tests that there are, and leaves no fault of the design out."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from fault_matrix import ROWS, TESTS, markdown

ROOT = TESTS.parent
DESIGN = [folder / "shared/design/faults.md" for folder in (ROOT.parent, ROOT.parent.parent)]


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_every_test_of_a_row_is_there(row):
    for name in row.tests:
        file, _, function = name.partition("::")
        assert function in functions_of(file), name
    assert len(set(row.tests)) == len(row.tests)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_every_row_has_a_test_that_make_test_runs(row):
    assert not row.test.startswith(("faults/", "bench/"))


def test_every_slow_test_belongs_to_a_row():
    named = {name for row in ROWS for name in row.tests}
    for path in (TESTS / "faults").glob("test_*.py"):
        file = f"faults/{path.name}"
        found = {f"{file}::{name}" for name in functions_of(file) if name.startswith("test_")}
        assert found <= named


def test_the_page_shows_the_matrix_as_it_is():
    assert markdown() in (ROOT / "docs/faults.md").read_text()


def test_the_rows_are_those_of_the_design():
    design = next((path for path in DESIGN if path.exists()), None)
    if design is None:
        pytest.skip("../shared/design is not beside this checkout")
    numbers = re.findall(r"^\|(\d+)\|", design.read_text(), re.MULTILINE)
    assert [row.number for row in ROWS] == [int(number) for number in numbers]
