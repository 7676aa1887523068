"""When a counted shortfall counts: partitions that name their time, that pool it, and that are waived."""

import numpy as np
import pytest
from declared import NOW, bound_type, dataset
from pyroaring import BitMap

from recon.core.coverage import counted, counted_rows
from recon.core.domain import Domain
from recon.core.sketch import Tally

DIMENSIONS = {
    "day": {"every": "day", "start": "2025-10-31", "end": "now"},
    "later": {"every": "day", "start": "2025-11-02", "end": "2025-11-03"},
    "team": {"values": ["ATL", "BOS"]},
}


def rows(pattern, *, have=None, waived=(), **settings):
    bound = bound_type(dataset(pattern, **settings), dimensions=DIMENSIONS)
    domain = Domain(bound, bound.expectations[0])
    tally = Tally.zero(len(domain.partitions.labels))
    for number, count in (have or {}).items():
        tally.have[number] = count
    judged = counted(domain, tally, BitMap(), domain.not_due(NOW), BitMap(waived))
    found = [
        ("/".join(value for _, value in row.partition), row.missing, row.not_due, row.known_absent)
        for row in counted_rows(domain, judged)
    ]
    return found, np.flatnonzero(judged.short).tolist()


def test_a_partition_that_names_its_step_is_due_with_it():
    assert rows("{day}/{n}", expected_per=("day", 2)) == (
        [("2025-10-31", 2, 0, 0), ("2025-11-01", 0, 2, 0)],
        [0],
    )


@pytest.mark.parametrize("settings", [{"expected_per": ("team", 2)}, {"partition": ("team",)}])
def test_a_partition_that_pools_its_steps_is_due_with_the_first(settings):
    wanted = 2 if "expected_per" in settings else 1
    assert rows("{team}/{day}/{n}", **settings) == (
        [("ATL", wanted, 0, 0), ("BOS", wanted, 0, 0)],
        [0, 1],
    )


def test_a_partition_of_which_nothing_is_due_yet_is_not_due():
    assert rows("{team}/{later}/{n}", expected_per=("team", 2)) == (
        [("ATL", 0, 2, 0), ("BOS", 0, 2, 0)],
        [],
    )


def test_a_partition_that_is_waived_whole_is_known_absent():
    assert rows("{team}/{n}", expected_per=("team", 3), waived=[0], have={0: 1}) == (
        [("ATL", 0, 0, 2), ("BOS", 3, 0, 0)],
        [1],
    )


def test_a_partition_that_is_waived_in_part_still_counts():
    assert rows("{team}/{day}/{n}", expected_per=("team", 3), waived=[0])[1] == [0, 1]
