from __future__ import annotations

import pytest

from recon.core.durations import duration_s, duration_words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("15m", 900.0), ("6h", 21600.0), ("14d", 1209600.0), ("0s", 0.0), ("1.5h", 5400.0),
     (" 6h ", 21600.0)],
)  # fmt: skip
def test_a_duration_is_a_number_and_a_unit(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "6", "h", "6 h", "-6h", "6w", "6H", "1h30m", "1e3s", "nan", "٦h", "9" * 20 + "d"]
)
def test_anything_else_is_no_duration(text):
    assert duration_s(text) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (12_000, "3 h 20 min")],
)
def test_seconds_are_told_as_people_read_them(seconds, words):
    assert duration_words(seconds) == words
