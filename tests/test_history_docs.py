"""docs/history.md holds: its queries run over a real state, and its columns are those of the files."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from engine_place import new_place

from recon.kept_history import COVERAGE_SCHEMA, GAPS_SCHEMA

PAGE = (Path(__file__).resolve().parents[1] / "docs/history.md").read_text(encoding="utf-8")
QUERIES = [
    query for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) for query in block.split(";")[:-1]
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = new_place(tmp_path_factory.mktemp("history"))
    made.run("--inline")
    made.run("--inline")
    yield made
    made.recon("down")


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_page_runs_and_finds_something(place, monkeypatch, query):
    monkeypatch.chdir(place.folder)
    assert len(duckdb.sql(query).fetchall()) > 1


def test_pandas_reads_all_cycles_at_once(place, monkeypatch):
    monkeypatch.chdir(place.folder)
    gaps = pd.read_parquet(".recon/history/gaps")
    sums = gaps.groupby(["started_at", "priority"], observed=True)["keys"].sum().unstack()  # noqa: PD010 - as the page has it
    assert (len(sums), set(sums.columns)) == (2, {"critical", "high", "medium", "low"})


@pytest.mark.parametrize("name", [*COVERAGE_SCHEMA, *GAPS_SCHEMA])
def test_each_column_is_on_the_page(name):
    assert f"`{name}`" in PAGE.partition("## Columns")[2]
