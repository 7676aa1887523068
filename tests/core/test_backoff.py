"""Waits grow, stay bounded, and differ from each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recon.core.backoff import wait_s


def test_waits_double_up_to_the_longest():
    assert [wait_s(failures, 30, 300, 1.0) for failures in (1, 2, 3, 4, 5, 6)] == [30, 60, 120, 240, 300, 300]


def test_half_of_a_wait_is_jitter():
    assert (wait_s(1, 30, 300, 0.0), wait_s(1, 30, 300, 0.5)) == (15, 22.5)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_no_wait_leaves_its_bounds(failures, jitter):
    assert 15 <= wait_s(failures, 30, 300, jitter) <= 300
