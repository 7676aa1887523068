"""The doctor tells which workers answer."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from installation import CONTROL, SCAN, site_in


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as made:
        yield made


def doctor(site) -> tuple[int, dict[str, list[dict]]]:
    done = subprocess.run(
        [sys.executable, "-c", "from recon.cli import main; main()", "doctor", "--json"],
        cwd=site.folder,
        env=site.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, list[dict]] = {}
    for check in json.loads(done.stdout):
        found.setdefault(check["name"], []).append(check)
    return done.returncode, found


def test_queues_without_a_worker_that_answers_fail_with_the_command_that_starts_one(site):
    site.start(*CONTROL)

    def control_answers() -> bool:
        code, found = doctor(site)
        control, scan = found["workers"]
        assert code == 1
        assert scan["status"] == "fail"
        assert "celery -A workers.app worker" in scan["fix"]
        return control["ok"]

    # What can be seen in Redis is waited for there: the doctor costs two seconds of work.
    client = site.server.client
    site.wait_for(lambda: client.scard("_kombu.binding.celery.pidbox") == 1)
    site.wait_for(control_answers)
    site.start(*SCAN)
    site.beat()
    site.wait_for(lambda: client.scard("_kombu.binding.celery.pidbox") == 2)
    site.wait_for(lambda: client.hexists("recon:cycle:consumed", "control"))
    found: dict[str, list[dict]] = {}

    def all_answer() -> bool:
        code, checks = doctor(site)
        found.update(checks)
        return code == 0

    site.wait_for(all_answer)
    assert all(check["ok"] for check in found["workers"])
    assert "scan@" in found["workers"][1]["found"]
