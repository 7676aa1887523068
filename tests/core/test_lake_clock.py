"""How far the lake's clock is from ours: no more than its answers prove, and told beyond five seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.core.lake_clock import correction_s, nearest, skew_s, skew_words

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "told_s", "skew"),
    [
        (0.0, 0.1, 0.0, 0.0),
        (0.9, 1.1, 0.0, 0.0),  # the lake's time is cut to whole seconds
        (0.0, 20.0, 3.0, 0.0),  # an answer that took long proves nothing
        (0.0, 20.0, 18.0, 0.0),
        (3600.5, 3600.6, 0.0, 3599.5),
        (0.0, 0.5, 3600.0, -3599.5),
        (3600.0, 3620.0, 0.0, 3599.0),
    ],
)
def test_a_skew_is_as_much_as_one_answer_proves(asked_s, answered_s, told_s, skew):
    asked, answered, told = (NOON + timedelta(seconds=at) for at in (asked_s, answered_s, told_s))
    assert skew_s(asked, answered, told) == skew


def test_of_several_answers_the_one_that_proves_least_counts():
    assert nearest((None, 7.0, -2.0)) == -2.0
    assert nearest((None,)) is None


@pytest.mark.parametrize(
    ("skew", "correction"), [(None, 0.0), (5.0, 0.0), (-5.0, 0.0), (5.5, 5.5), (-60.0, -60.0)]
)
def test_up_to_five_seconds_nothing_is_corrected(skew, correction):
    assert correction_s(skew) == correction


def test_the_worst_of_the_hosts_is_told_beyond_five_seconds():
    assert skew_words((None, 4.0, -5.0)) == ()
    assert skew_words((None, 4.0, -61.0))[0].startswith("the engine's clock is 61 s behind the lake's")
    assert skew_words((3600.0, None))[0].startswith("the engine's clock is 3600 s ahead of the lake's")
