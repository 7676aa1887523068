"""``make demo-loop``: the loop closes by itself, a scraper that is killed included."""

from __future__ import annotations

import subprocess
import sys

import pytest
from engine_place import REPOSITORY, own_sample


@pytest.mark.timeout(320)
def test_the_demo_ends_with_every_gap_closed_and_the_queues_empty(tmp_path, sample):
    own_sample(tmp_path / "demo" / "sample-lake", sample)
    words = [
        sys.executable,
        str(REPOSITORY / "examples" / "demo_loop.py"),
        "--folder",
        str(tmp_path / "demo"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=315, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert any("is killed with a task in its hands" in line for line in lines)
    assert any("1 leased" in line or "1 cooling" in line for line in lines)
    assert lines[-1].endswith("finds no gap, and the queues are empty")
