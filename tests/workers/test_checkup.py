"""Beat is there as long as what it sends is taken up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workers.checkup import beat_is_silent

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(("ago_s", "silent"), [(0, False), (60, False), (61, True), (86_400, True)])
def test_beat_is_silent_after_a_minute(ago_s, silent):
    said = beat_is_silent(NOW - timedelta(seconds=ago_s), NOW)
    assert (said is not None) == silent
    assert not silent or f"{ago_s} s" in (said or "")


def test_a_beat_that_was_never_heard_is_silent():
    assert "ever" in (beat_is_silent(None, NOW) or "")
