"""A beat that was away for several intervals."""

from __future__ import annotations

import signal
import time
from datetime import datetime

import pytest
from installation import CONTROL, GONE, SCAN, site_in, with_children

INTERVAL_S = 6.0


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as made:
        made.configure(f"reconciliation_loop: {{interval_minutes: {INTERVAL_S / 60}}}\n")
        yield made


def begun(site) -> list[float]:
    return [datetime.fromisoformat(report["started_at"]).timestamp() for report in site.reports()]


def test_a_beat_that_was_dead_for_intervals_begins_one_cycle_and_no_storm(site):
    site.start(*CONTROL)
    site.start(*SCAN)
    beat = site.beat("one")
    site.wait_for(lambda: site.reports() and site.settled())
    with_children(beat, signal.SIGKILL)
    beat.wait()
    time.sleep(4 * INTERVAL_S)
    so_far, again = len(begun(site)), time.time()
    beat = site.beat("one")
    site.wait_for(lambda: len(begun(site)) > so_far)
    time.sleep(2 * INTERVAL_S)
    with_children(beat, signal.SIGKILL)
    site.wait_for(site.settled)
    later = begun(site)[so_far:]
    assert len({int(at // INTERVAL_S) for at in later}) == len(later)
    assert len(later) <= (time.time() - again) / INTERVAL_S + 1
    assert site.server.client.llen("recon.control") < 5
    assert site.queued() == GONE


def test_a_beat_that_nobody_heard_leaves_no_storm_either(site):
    site.beat("one")
    time.sleep(4 * INTERVAL_S)
    began = time.time()
    site.start(*CONTROL)
    site.start(*SCAN)
    site.wait_for(lambda: len(begun(site)) >= 2)
    later = begun(site)
    assert len({int(at // INTERVAL_S) for at in later}) == len(later)
    assert len(later) <= (time.time() - began) / INTERVAL_S + 1
    assert site.queued() == GONE
