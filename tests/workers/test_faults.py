"""Workers, beats and Redis are killed where it hurts; the watchdog brings the next answer to the truth."""

from __future__ import annotations

import signal

import pytest
from installation import CONTROL, GONE, SCAN, site_in, with_children


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [  # the steps before and after each are cut off in test_steps.py, without processes
        "recon.wiring:planned:after",
        "recon.adapters.ledger:RedisLedger.open:after",
        "recon.adapters.redis_queue:RedisTaskQueue.publish:after",
    ],
)
def test_a_control_worker_killed_between_steps_leaves_one_publication_and_a_free_lock(site, fault):
    dying = site.start(*CONTROL, fault=fault)
    site.start(*SCAN)
    site.scheduled_cycle()
    site.wait_for(lambda: dying.poll() is not None)
    with_children(dying, signal.SIGKILL)
    assert site.mark.exists()
    site.start(*CONTROL)
    site.beat()
    site.wait_for(lambda: site.reports() and site.settled())
    assert site.queued() == GONE
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: len(site.reports()) == 2 and site.settled())
    last = site.reports()[-1]
    assert last["verdicts"]["missing"] == len(GONE)
    assert last["tasks"]["published"] == 0
    assert site.queued() == GONE


def test_a_scan_worker_killed_and_replaced_changes_no_answer(site):
    site.start(*CONTROL)
    dying = site.start(*SCAN, fault="recon.cycle:scan_shard:before")
    site.beat()
    site.scheduled_cycle()
    site.wait_for(lambda: dying.poll() is not None)
    site.start(*SCAN)
    site.wait_for(lambda: site.reports() and site.settled())
    assert site.queued() == GONE


def test_two_beats_begin_one_cycle_per_interval_and_none_beside_another(site):
    site.configure("reconciliation_loop: {interval_minutes: 0.05}\n")
    site.start(*CONTROL)
    site.start(*SCAN)
    beats = [site.beat("one"), site.beat("two")]
    site.wait_for(lambda: len(site.reports()) >= 3)
    with_children(beats[0], signal.SIGKILL)
    site.beat("one")
    so_far = len(site.reports())
    site.wait_for(lambda: len(site.reports()) >= so_far + 2)
    started = [report["started_at"] for report in site.reports()]
    finished = [report["finished_at"] for report in site.reports()]
    assert all(end <= start for end, start in zip(finished, started[1:], strict=False))
    slots = site.server.client.keys("recon:cycle:slot:*")
    assert len(started) <= len(slots)
    assert site.queued() == GONE


def test_redis_killed_while_a_cycle_publishes_is_waited_for_and_nothing_is_doubled(site):
    site.start(*CONTROL)
    site.start(*SCAN)
    site.beat()
    site.scheduled_cycle()
    site.wait_for(lambda: site.server.client.exists("recon:q:meta"))
    site.server.kill()
    site.server.start()
    site.wait_for(lambda: site.reports() and site.settled())
    assert site.queued() == GONE
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: len(site.reports()) == 2 and site.settled())
    assert site.queued() == GONE


def test_redis_that_lost_everything_mid_cycle_is_healed_by_the_next_cycle(site):
    site.start(*CONTROL)
    site.scheduled_cycle()
    site.wait_for(lambda: site.server.client.zcard("recon:cycle:open"))
    site.wait_for(lambda: site.server.client.llen("recon.scan"))
    site.server.client.flushall()
    site.start(*SCAN)
    site.beat()
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: site.reports() and site.settled())
    assert site.queued() == GONE
