"""Coverage over many rows weighs each as its own coverage does."""

from __future__ import annotations

import pytest

from recon.core.shares import share

EXACT = {"kind": "exact", "ok": 3, "stale": 1, "small": 0, "missing": 0, "coverage": 0.75}
COUNTED = {"kind": "counted", "have": 9, "expected": 6, "coverage": 1.0}
UNKNOWN = {"kind": "counted", "have": 0, "expected": 6, "coverage": None}
ANY = {"kind": "any", "have": 0, "expected": None, "coverage": None}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], None), ([ANY], None), ([EXACT], 0.75), ([EXACT, COUNTED], 0.9), ([EXACT, UNKNOWN, ANY], 0.75)],
)
def test_a_share_covers_what_is_judged(rows, expected):
    assert share(rows) == expected
