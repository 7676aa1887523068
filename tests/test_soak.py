"""A short soak: the installation is right cycle after cycle, and every figure is measured."""

from __future__ import annotations

import subprocess
import sys

import pytest
import soak
from soak import Figure, table


def test_a_few_cycles_in_a_row_give_the_plain_comparison_and_are_measured():
    words = [sys.executable, soak.__file__, "--cycles", "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "| memory of scan (MB) |" in done.stdout
    assert "every answer that of the plain comparison" in done.stdout


@pytest.mark.parametrize(
    ("unit", "values", "grows"),
    [
        ("fds", [30.0] * 100, False),
        ("fds", [30 + number / 10 for number in range(100)], True),
        ("files", [40.0, 20.0] * 50, False),
        ("MB", [200 + number / 50 for number in range(100)], False),
        ("MB", [200.0 + number for number in range(100)], True),
        ("", [float(number) for number in range(100)], False),
    ],
)
def test_what_rises_between_the_first_and_the_last_quarter_grows(unit, values, grows):
    figure = Figure("of the test", unit, values)
    assert figure.grows is grows
    assert ("GROWS" in table([figure])) is grows
