"""A scheduled cycle goes on by the last good inventory; whoever asks for a cycle meets the error."""

from __future__ import annotations

import pytest

from recon.adapters.inventory_file import load_inventory
from recon.adapters.state_store import FileStateStore
from recon.errors import ConfigError
from recon.inventory_copy import InventoryChoice, chosen_inventory

GOOD = (
    'expected_coverage: {nba: {seasons: [2023-24], data_types: {box: {path_patterns: ["b/{season}.json"]}}}}'
)
WRONG = "expected_coverage: {nba: {data_typos: {}, seasons: soon}}"


@pytest.fixture
def state(tmp_path) -> FileStateStore:
    return FileStateStore(tmp_path / "state")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(GOOD)
    return path


def chosen(state, file, *, may_fall_back: bool = True) -> InventoryChoice:
    return chosen_inventory(
        state, file, lambda text: load_inventory(file, text=text), may_fall_back=may_fall_back
    )


def test_a_wrong_file_is_replaced_by_its_last_good_copy_and_what_is_wrong_is_told(state, file):
    chosen(state, file).remember(state)
    file.write_text(WRONG)
    found = chosen(state, file)
    assert [dataset.name for dataset in found.inventory.datasets] == ["nba.box"]
    assert "its last good copy is used" in found.inventory.notices[0].message
    assert "inventory.yaml:1:" in found.inventory.notices[0].message


def test_a_file_that_is_gone_is_replaced_too(state, file):
    chosen(state, file).remember(state)
    file.unlink()
    assert chosen(state, file).inventory.datasets


def test_a_copy_is_never_made_of_the_copy(state, file):
    chosen(state, file).remember(state)
    file.write_text(WRONG)
    chosen(state, file).remember(state)
    assert state.get("inventory/good.yaml") == GOOD.encode()


@pytest.mark.parametrize("has_copy", [True, False])
def test_a_wrong_file_is_an_error_for_whoever_asks_and_where_there_is_no_copy(state, file, has_copy):
    if has_copy:
        chosen(state, file).remember(state)
    file.write_text(WRONG)
    with pytest.raises(ConfigError, match="data_typos"):
        chosen(state, file, may_fall_back=not has_copy)
