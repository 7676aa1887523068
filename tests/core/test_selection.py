"""Which expected keys ``--select`` keeps."""

from __future__ import annotations

import numpy as np
import pytest
from declared import bound_type, dataset

from recon.core.domain import Domain
from recon.core.selection import parse_selection, selected, selected_prefixes
from recon.errors import ConfigError

DIMENSIONS = {"season": {"seasons": "2023-24..2025-26"}, "team": {"values": ["ATL", "BOS"]}}


def domain() -> Domain:
    bound = bound_type(dataset("x/{season}/{team}.json", name="nba.box"), dimensions=DIMENSIONS)
    return Domain(bound, bound.expectations[0])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("source:nba", 6),
        ("type:box+season:2023-24", 2),
        ("source:other", 0),
        ("team:ATL", 3),
        ("town:ATL", 0),
    ],
)
def test_all_terms_of_a_selection_must_hold(text, count):
    assert len(selected(domain(), [parse_selection(text)])) == count


def test_several_selections_are_joined_by_or():
    both = [parse_selection("season:2023-24"), parse_selection("team:ATL")]
    assert len(selected(domain(), both)) == 4


def test_only_folders_that_hold_selected_keys_are_listed():
    found = domain()
    kept = selected(found, [parse_selection("season:2024-25")])
    assert selected_prefixes(found, kept) == [b"x/2024-25/"]
    assert np.array(kept).size == 2


@pytest.mark.parametrize("text", ["", "season", "season:", ":x", "a:b+"])
def test_a_broken_selection_says_what_was_expected(text):
    with pytest.raises(ConfigError, match="expected field:value"):
        parse_selection(text)
