import numpy as np
import polars as pl
import pytest
from declared import bound_type, dataset

from recon.core.domain import Domain
from recon.core.heads import HEAD_BYTES_MAX

DIMENSIONS = {
    "team": {"values": [f"T{number}" for number in range(200)]},
    "day": {"every": "day", "start": "2025-01-01", "end": "2025-03-31"},
    "n": {"integers": "0..99", "width": 5},
}


def domain(pattern):
    bound = bound_type(dataset(pattern), dimensions=DIMENSIONS)
    return Domain(bound, bound.expectations[0])


@pytest.mark.parametrize(
    "pattern", ["d/{team}/{n}.json", "{day:%Y}/{day:%m}/{day:%Y%m%d}.gz", "p/{team}/x-{n}"]
)
def test_directories_learned_in_one_batch_are_read_right_in_the_next(pattern):
    found = domain(pattern)
    keys = found.decode(np.arange(found.size)).sample(fraction=1, shuffle=True, seed=5)
    wanted = {key: ordinal for ordinal, key in enumerate(found.decode(np.arange(found.size)))}
    for low in range(0, len(keys), 700):
        batch = keys.slice(low, 700)
        assert found.encode(batch).tolist() == [wanted[key] for key in batch]


def test_directories_that_no_table_holds_are_read_all_the_same():
    found = domain("d/{team}/{n}.json")
    odd = ["x" * (HEAD_BYTES_MAX + 1) + "/00001.json", "d/T7/00001.json", "/00001.json", "d/T7/é/00001.json"]
    assert found.encode(pl.Series(odd * 3)).tolist() == [-1, 7 * 100 + 1, -1, -1] * 3


def test_a_directory_and_a_tail_that_disagree_are_no_expected_key():
    found = domain("{day:%Y}/{day:%m}/{day:%Y%m%d}.gz")
    assert (
        found.encode(pl.Series(["2025/02/20250131.gz", "2025/01/20250131.gz"] * 4)).tolist() == [-1, 30] * 4
    )
