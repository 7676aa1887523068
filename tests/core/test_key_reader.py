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


def claims(pattern, keys):
    return [ordinal >= 0 for ordinal in domain(pattern).encode(pl.Series(keys))]


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        ("x/{id}/{id}.json", ["x/a/a.json", "x/a.json/a.json.json"], ["x/a/b.json", "x/a/a", "x/a/a.json/b"]),
        ("x/{id}/{id}_{w}", ["x/a/a_b_c", "x/a_b/a_b_c"], ["x/a/b_c", "x/b/a_b", "x/a/a_"]),
        ("{id}/{team}/{day:%m%d}/{id}", ["é/T1/0201/é", "T1/T1/0101/T1"], ["a/T1/0201/b", "a/T1/0401/a"]),
        ("x/{id}-{id}/{n}", ["x/a-a/00001", "x/a-a-a-a/00001"], ["x/a-b/00001", "x/a-a-a/00001"]),
        ("x/{a}/{b}/{a}/{b}", ["x/1/2/1/2"], ["x/1/2/1/3", "x/1/2/2/1", "x/1/2/1/2/1"]),
    ],
)
def test_a_wildcard_that_occurs_twice_has_one_value(pattern, right, wrong):
    assert claims(pattern, right) == [True] * len(right)
    assert claims(pattern, wrong) == [False] * len(wrong)


def test_a_value_between_two_wildcards_is_found_wherever_it_stands():
    keys = ["x/a_T1_b", "x/a_b_T1_c_d", "x/T1_T2_T3", "x/a_T_b", "x/a\n_T1_b", "x/a_T200_b"]
    assert claims("x/{v}_{team}_{w}", keys) == [True, True, True, False, True, False]
    assert claims("{v}{day:%Y%m%d}{w}.gz", ["a20250101b.gz", "a2025010120250230.gz", "a20240101b.gz"]) == [
        True,
        True,
        False,
    ]
