"""The interval of an estimate holds the truth about as often as it says, over many lakes and samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.estimate import Estimate, Sampled, share, t_quantile, total

SHARDS, DRAWN, LAKES = 200, 20, 400

#: How many keys shards hold, as hints leave them: much alike, or not so much.
SIZES = {
    "alike": lambda rng: rng.integers(850, 1150, SHARDS),
    "unlike": lambda rng: np.maximum(1, rng.lognormal(6.5, 0.6, SHARDS)).astype(np.int64),
}
#: How many of a shard's keys are missing.
LOSSES = {
    "one in a hundred": lambda rng, sizes: rng.binomial(sizes, 0.01),
    "a few": lambda rng, sizes: rng.binomial(sizes, 0.0002),
    "here more, there less": lambda rng, sizes: rng.binomial(sizes, rng.beta(1, 20, SHARDS)),
    "whole shards": lambda rng, sizes: np.where(rng.random(SHARDS) < 0.2, sizes, 0),
    "nearly all": lambda rng, sizes: rng.binomial(sizes, 0.97),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
def test_the_interval_of_a_share_holds_the_truth_about_as_often_as_it_says(sizes, losses):
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(LAKES):
        keys = sizes(rng)
        lost = losses(rng, keys)
        drawn = rng.choice(SHARDS, DRAWN, replace=False)
        found = share(Sampled(lost[drawn], keys[drawn], float(keys.sum()), SHARDS))
        held += found.low <= lost.sum() <= found.high
    assert 0.90 <= held / LAKES <= 1.0


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_the_interval_of_a_total_holds_the_truth_about_as_often_as_it_says(sizes):
    rng = np.random.default_rng(7)
    held, bias = 0, []
    for _ in range(LAKES):
        objects = sizes(rng)
        # What hints tell of a shard's size is right within some 15 %.
        hinted = np.maximum(1, (objects * rng.normal(1, 0.15, SHARDS) / 100).astype(np.int64))
        drawn = rng.choice(SHARDS, DRAWN, replace=False)
        found = total(Sampled(objects[drawn], hinted[drawn], float(hinted.sum()), SHARDS))
        held += found.low <= objects.sum() <= found.high
        bias.append(found.value / objects.sum() - 1)
    assert 0.91 <= held / LAKES <= 0.99
    assert abs(np.mean(bias)) < 0.01


def test_sizes_known_beforehand_make_the_interval_narrow():
    rng = np.random.default_rng(1)
    objects = SIZES["unlike"](rng)
    drawn = rng.choice(SHARDS, DRAWN, replace=False)
    told = total(
        Sampled(objects[drawn], objects[drawn] // 100 + 1, float((objects // 100 + 1).sum()), SHARDS)
    )
    blind = total(Sampled(objects[drawn], np.ones(DRAWN, np.int64), SHARDS, SHARDS))
    assert told.high - told.low < 0.2 * (blind.high - blind.low)


def test_one_shard_gives_no_interval_and_all_shards_no_error():
    one = Sampled(np.array([3]), np.array([10]), 100.0, 10)
    assert total(one) == share(one) == Estimate(30.0)
    whole = Sampled(np.array([3, 0]), np.array([10, 5]), 15.0, 2)
    assert total(whole) == share(whole) == Estimate(3.0, 3.0, 3.0)


def test_a_sample_of_nothing_estimates_nothing():
    nothing = Sampled(np.array([0, 0]), np.array([0, 0]), 100.0, 10)
    assert total(nothing) is None
    assert share(nothing) is None


def test_no_loss_in_the_sample_is_no_proof_that_there_is_none():
    sizes = np.full(20, 1000)
    found = share(Sampled(np.zeros(20, np.int64), sizes, 200_000.0, 200))
    assert (found.value, found.low) == (0, pytest.approx(0, abs=1e-6))
    assert 20_000 < found.high < 40_000


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8),
    st.integers(0, 500),
    st.integers(0, 20),
)
def test_an_interval_never_leaves_what_was_seen_and_what_can_be(pairs, unseen, others):
    found = np.array([min(pair) for pair in pairs])
    sizes = np.array([max(pair) for pair in pairs])
    estimate = share(
        Sampled(found, sizes, float(sizes.sum() + (unseen if others else 0)), len(pairs) + others)
    )
    if estimate is None:
        assert not sizes.any()
        return
    for end in (estimate.value, estimate.low, estimate.high):
        assert end is None or found.sum() - 1e-6 <= end <= found.sum() + unseen + 1e-6
    assert estimate.low is None or estimate.low <= estimate.high


@pytest.mark.parametrize(
    ("freedom", "tabled"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_the_quantiles_are_those_of_the_tables(freedom, tabled):
    assert t_quantile(freedom) == pytest.approx(tabled, rel=0.002)


def test_a_document_rounds_the_interval_outwards():
    assert Estimate(10.4, 9.5, 11.2).document() == {"value": 10, "low": 9, "high": 12}
    assert Estimate(10.0, 10.0, 10.0).document() == {"value": 10, "low": 10, "high": 10}
    assert Estimate(10.0).document() == {"value": 10, "low": None, "high": None}
    assert Estimate(30.0, 20.0, 45.0).complement(100) == Estimate(70.0, 55.0, 80.0)
