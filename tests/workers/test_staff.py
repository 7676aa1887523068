"""Over a broker of one's own a run works with whoever answers, or with its own workers where nobody does."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from installation import CONTROL, GONE, SCAN, WANTED, site_in
from terminal import shown

RUN = [sys.executable, "-c", "from recon.cli import main; main()", "run", "--json"]


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as made:
        yield made


def run(site) -> dict:
    done = subprocess.run(
        RUN, cwd=site.folder, env=site.environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_without_workers_brings_its_own_and_later_ones_run_nothing_twice(site):
    began = time.monotonic()
    report = run(site)
    assert time.monotonic() - began < 30  # nobody is waited for a minute
    assert report["verdicts"]["missing"] == len(GONE)
    assert site.queued() == GONE
    assert site.settled()
    assert (site.folder / ".recon" / "workers.log").exists()
    again = "from workers.messages import send_begin; send_begin({!r}, {{'select': []}})"
    code = again.format(report["cycle_id"])  # delivered once more, as after a lost acknowledgement
    subprocess.run([sys.executable, "-c", code], cwd=site.folder, env=site.environment, check=True)
    site.start(*CONTROL)
    site.start(*SCAN)
    site.wait_for(lambda: site.server.client.llen("recon.control") == 0)
    site.scheduled_cycle()
    site.wait_for(lambda: len(site.reports()) >= 2 and site.settled())
    first, second = site.reports()
    assert first == report
    assert second["tasks"]["published"] == 0
    assert second["verdicts"]["ok"] == len(WANTED) - len(GONE)
    assert site.queued() == GONE


def test_a_run_with_a_control_worker_alone_brings_who_scans(site):
    site.start(*CONTROL)
    site.wait_for(lambda: site.server.client.exists("_kombu.binding.recon.control"))
    assert run(site)["verdicts"]["missing"] == len(GONE)
    assert site.queued() == GONE
    assert site.settled()


def test_a_run_with_workers_that_answer_starts_none(site):
    site.start(*CONTROL)
    site.start(*SCAN)
    site.wait_for(lambda: site.server.client.exists("_kombu.binding.celery.pidbox"))
    assert run(site)["verdicts"]["missing"] == len(GONE)
    assert not (site.folder / ".recon" / "workers.log").exists()


def test_a_terminal_is_told_in_one_line_that_nobody_answers(site):
    told = shown(site.folder, "run", environment=site.environment, columns=300)
    assert told.code == 0
    (line,) = [line for line in told.terminal.splitlines() if "no worker answers" in line]
    assert "this run starts its own" in line
    assert "workers.log" in line
