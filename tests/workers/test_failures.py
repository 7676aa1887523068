"""Failed cycles are forgotten once nobody can be waiting for them, and not before."""

from __future__ import annotations

import json

import pytest
from steps_place import place, valkey

from workers import steps
from workers.failures import forgettable

__all__ = ["place", "valkey"]

LAST = "20240301T120000-aaaaaa"


@pytest.mark.parametrize(
    ("cycle_id", "file", "is_forgotten"),
    [
        ("20240301T105959-bbbbbb", "error.json", True),
        ("20240229T120000-bbbbbb-r2", "error.json", True),
        ("20240301T110001-bbbbbb", "error.json", False),  # a message of it may still be under way
        ("20240301T120001-bbbbbb", "error.json", False),  # asked for later: somebody waits for its answer
        (LAST, "error.json", False),
        ("20240301T105959-bbbbbb", "report.json", False),
        ("20240301T105959-bbbbbb", "shards/error.json", False),
        ("one", "error.json", False),
    ],
)
def test_an_error_is_forgotten_an_hour_before_the_last_finished_cycle(cycle_id, file, is_forgotten):
    name = f"cycles/{cycle_id}/{file}"
    assert list(forgettable([name], LAST)) == ([name] if is_forgotten else [])


def test_a_cycle_that_finishes_forgets_old_failures_and_leaves_reports(place):
    state = steps.engine().ports.state
    for cycle_id in ("20240301T100000-old", "20240301T115900-new"):
        state.put(f"cycles/{cycle_id}/error.json", json.dumps({"message": "x"}).encode())
    state.put("cycles/20240301T090000-done/report.json", b"{}")
    place.scanned(LAST)
    assert state.get("cycles/20240301T100000-old/error.json") is not None
    steps.finish(LAST)
    assert state.names("cycles/20240301T10") == []
    assert state.get("cycles/20240301T115900-new/error.json") is not None
    assert state.get("cycles/20240301T090000-done/report.json") is not None
    assert state.get(f"cycles/{LAST}/report.json") is not None
