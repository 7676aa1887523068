"""Two domains have one layout where every ordinal means the same key of the same partition, and no other."""

from __future__ import annotations

import pytest
from declared import bound_type, dataset

from recon.core.domain import Domain
from recon.core.layout import layout

DIMENSIONS = {
    "team": {"values": ["ATL", "BOS"]},
    "day": {"every": "day", "start": "2025-01-01", "end": "2025-01-05"},
}


def domain(pattern: str = "{team}/{day}.json", dimensions=None, **settings: object) -> Domain:
    bound = bound_type(dataset(pattern, **settings), dimensions={**DIMENSIONS, **(dimensions or {})})
    return Domain(bound, bound.expectations[0])


def test_the_same_declaration_has_the_same_layout():
    assert layout(domain()) == layout(domain())


@pytest.mark.parametrize(
    "other",
    [
        domain("{team}/{day:%Y%m%d}.json"),
        domain(name="src.other"),
        domain(partition=("team",)),
        domain(dimensions={"team": {"values": ["BOS", "ATL"]}}),
        domain(dimensions={"team": {"values": ["ATL", "BOX"]}}),
        domain(dimensions={"day": {"every": "day", "start": "2025-01-01", "end": "2025-01-06"}}),
        domain(dimensions={"day": {"every": "day", "start": "2025-01-02", "end": "2025-01-06"}}),
    ],
)
def test_anything_that_moves_a_key_or_a_partition_changes_the_layout(other):
    assert layout(domain()).digest != layout(other).digest
