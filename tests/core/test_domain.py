"""Expected keys become ordinals and come back, whatever the pattern looks like."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from declared import NOW, bound_type, catalog, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from recon.core.domain import Domain
from recon.errors import DomainTooLargeError

DIMENSIONS = {
    "season": {"seasons": "2019-20..2025-26"},
    "team": {"values": ["ATL", "BOS", "BKN", "B"]},
    "n": {"integers": "0..40", "width": 5},
    "k": {"integers": "0..12"},
    "hour": {"every": "6h", "start": "2025-10-01T00:00Z", "end": "now"},
    "local": {"every": "hour", "start": "2025-10-25T00:00", "end": "2025-10-27", "timezone": "Europe/Berlin"},
}
GAMES = catalog(
    "games",
    {
        "game_id": [f"00{number:08d}" for number in range(30)],
        "season": ["2024-25" if number % 2 else "2025-26" for number in range(30)],
        "slug": ["x" * (number % 5 + 1) + str(number) for number in range(30)],
    },
)
STATIONS = catalog(
    "stations",
    {
        "id": ["a", "b", "c"],
        "opened": ["2025-10-02", "2025-10-20", "2025-10-28"],
        "closed": ["2025-10-05", "2026-01-01", "2025-10-29"],
    },
    starts="opened",
    ends="closed",
)
PATTERNS = [
    "plain.json",
    "{team}.json",
    "nba/{season}/{team}/part-{n}.json",
    "nba/{n}",
    "{n}-{team}/x/{season}.json",
    "a/{k}_{team}.json",
    "a/{team}{k}.json",
    "e/{hour:%Y}/{hour:%m}/{hour:%Y-%m-%d-%-H}.gz",
    "e/{hour:%Y/%m/%d/%H}/{team}.gz",
    "e/{hour:%Y%m%d%H}",
    "l/{local:%Y-%m-%dT%H}.gz",
    "{season}/{season}_{k}.json",
]


def domain(*patterns: str, **settings: object) -> Domain:
    bound = bound_type(dataset(*patterns), dimensions=DIMENSIONS, **settings)
    (expectation,) = bound.expectations
    return Domain(bound, expectation)


def every(found: Domain) -> np.ndarray:
    return np.arange(found.size, dtype=np.int64)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_ordinal_renders_to_a_key_that_reads_back_as_the_same_ordinal(pattern):
    found = domain(pattern)
    keys = found.decode(every(found))
    assert keys.n_unique() == found.size
    assert (found.encode(keys) == every(found)).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_key_that_is_not_expected_is_claimed(pattern):
    found = domain(pattern)
    keys = found.decode(every(found)).to_list()
    expected = set(keys)
    strangers = [change(key) for key in keys[:7] for change in CHANGES]
    strangers = [key for key in strangers if key not in expected] + ["", "/", "nba", "nba/", "é" * 40, "\n"]
    assert (found.encode(pl.Series(strangers)) == -1).all()


CHANGES = (
    lambda key: key + "x",
    lambda key: key + "/",
    lambda key: "x" + key,
    lambda key: key.replace("/", "//", 1),
    lambda key: key[:-1],
    lambda key: key[1:],
    lambda key: key.replace("0", "+", 1),
    lambda key: key.replace("0", "٣", 1),
    lambda key: key.upper(),
    lambda key: "a/" + key,
    lambda key: key + "\n",
)


@pytest.mark.parametrize("pattern", ["g/{season}/{game_id}.json", "g/{game_id}/{slug}.json", "g/{slug}.json"])
def test_a_catalog_expects_one_object_a_row(pattern):
    bound = bound_type(dataset(pattern, for_each="games"), dimensions={}, catalogs=[GAMES])
    found = Domain(bound, bound.expectations[0])
    assert found.size == 30
    assert (found.encode(found.decode(every(found))) == every(found)).all()
    wrong_season = pl.Series(["g/2024-25/0000000000.json"])  # row 0 is of 2025-26
    assert found.encode(wrong_season)[0] == -1


def test_a_row_with_a_life_span_is_expected_only_inside_it():
    bound = bound_type(
        dataset("s/{id}/{day}.csv", for_each="stations"),
        dimensions={"day": {"every": "day", "start": "2025-10-01", "end": "2025-10-31"}},
        catalogs=[STATIONS],
    )
    found = Domain(bound, bound.expectations[0])
    keys = found.decode(every(found)).to_list()
    assert [key for key in keys if key.startswith("s/a/")] == [f"s/a/2025-10-0{n}.csv" for n in (2, 3, 4, 5)]
    assert "s/b/2025-10-19.csv" not in keys
    assert "s/b/2025-10-31.csv" in keys
    assert (found.encode(pl.Series(keys)) == every(found)).all()
    assert found.encode(pl.Series(["s/b/2025-10-19.csv"]))[0] == -1


def test_a_repeated_local_hour_is_one_expected_key():
    found = domain("l/{local:%Y-%m-%dT%H}.gz")
    assert found.size == 72  # three days; the night that repeats 02:00 adds none


def test_of_two_patterns_that_claim_a_key_the_first_wins_and_nothing_is_expected_twice():
    found = domain("a/{team}.json", "a/ATL.json")
    assert list(found.shadowed) == [4]
    assert found.encode(pl.Series(["a/ATL.json"]))[0] == 0
    assert len(found.expected) == 4


def test_a_domain_over_the_limit_is_refused_with_its_count():
    bound = bound_type(dataset("{n}/{k}"), dimensions=DIMENSIONS)
    with pytest.raises(DomainTooLargeError, match="would expect 533 keys"):
        Domain(bound, bound.expectations[0], max_expected_keys=500)


def test_rows_that_render_one_key_are_one_expected_object():
    twins = catalog("twins", {"id": ["a", "a"]})
    bound = bound_type(dataset("{id}.json", for_each="twins"), catalogs=[twins])
    assert Domain(bound, bound.expectations[0]).size == 1


@settings(max_examples=30, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 27)),
    pattern=st.sampled_from(["nba/{season}/{team}.json", "{team}/{season}"]),
)
def test_partitions_count_what_falls_into_them(chosen, pattern):
    found = domain(pattern)
    ordinals = np.array(sorted(chosen), dtype=np.int64)
    numbers = found.partition(ordinals)
    keys = found.decode(ordinals).to_list()
    for key, number in zip(keys, numbers, strict=True):
        ((name, value),) = found.partitions.labels[number]
        assert name == "season"
        assert value in key
    assert found.partitions.sizes().sum() == found.size


@settings(max_examples=30, deadline=None)
@given(chosen=st.sets(st.sampled_from(["ATL", "BOS", "BKN", "B"])))
def test_ordinals_are_found_by_the_values_of_an_axis(chosen):
    found = domain("nba/{season}/{team}/{k}.json")
    (block,) = found.blocks
    number = next(place for place, axis in enumerate(block.axes) if axis.name == "team")
    mask = np.array([team in chosen for team in DIMENSIONS["team"]["values"]])
    keys = found.decode(every(found)).to_list()
    wanted = BitMap(place for place, key in enumerate(keys) if key.split("/")[2] in chosen)
    assert block.where(number, mask) == wanted


def test_a_catalog_whose_rows_all_ended_before_the_first_step_expects_nothing():
    gone = catalog("gone", {"id": ["a"], "closed": ["2020-01-01"]}, ends="closed")
    declared = dataset("x/{id}/{hour:%Y%m%d%H}/{team}", for_each="gone")
    bound = bound_type(declared, dimensions=DIMENSIONS, catalogs=[gone])
    found = Domain(bound, bound.expectations[0])
    assert (found.size, len(found.not_due(NOW)), len(found.having([("team", "ATL")]))) == (0, 0, 0)
    assert found.encode(pl.Series(["x/a/2025100100/ATL"])).tolist() == [-1]


def test_a_key_that_two_partitions_of_one_type_claim_is_expected_once_in_the_first():
    both = {"season": {"seasons": "2023-24..2024-25"}, "name": {"values": ["2023-24", "b"]}}
    bound = bound_type(dataset("x/{season}.json", "x/{name}.json"), dimensions=both)
    first, second = (Domain(bound, expectation) for expectation in bound.expectations)
    assert (len(first.expected), len(second.expected)) == (2, 1)
    assert second.decode(np.array(second.expected.to_array())).to_list() == ["x/b.json"]
