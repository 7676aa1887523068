"""Alerts end to end: a real state, a real Redis, workers and beat, and services that hear of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from alert_receiver import Receiver
from installation import CONTROL, SCAN, Site
from redis_servers import binary_of, running

from recon.adapters.turn import FolderTurn
from recon.alarm import alarm
from recon.settings import load_settings


class AlertedSite(Site):
    """An installation whose alerts go to a receiver."""

    receiver: Receiver

    @property
    def environment(self):
        return {**super().environment, "RECON_ALERT_URLS": self.receiver.address}

    def recon(self, *words):
        code = "from recon.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def bell(self, **changes):
        chosen = load_settings("recon.yaml", self.environment, cwd=self.folder)
        found = alarm(replace(chosen, **changes))
        found.turn = FolderTurn(self.folder, "rounds", 0.0)
        return found


@pytest.fixture
def site(tmp_path):
    with Receiver() as receiver, running(binary_of("valkey-9")) as server:
        AlertedSite.receiver = receiver
        made = AlertedSite(tmp_path, server)
        try:
            yield made
        finally:
            made.stop()


def test_a_broken_lake_is_told_by_the_workers_once_and_its_end_by_whoever_looks(site):
    site.configure("reconciliation_loop: {max_retries: 0}\nlogging: {output_dir: logs}\n")
    (site.folder / "inventory.yaml").rename(site.folder / "away.yaml")
    site.start(*CONTROL)
    site.start(*SCAN)
    site.scheduled_cycle()
    site.wait_for(lambda: list((site.folder / ".recon/cycles").glob("*/error.json")))
    for _ in range(3):
        send = "from workers.tasks import alert; alert.apply_async()"
        subprocess.run([sys.executable, "-c", send], cwd=site.folder, env=site.environment, check=True)
    site.receiver.wait_for(lambda: site.receiver.told)
    assert site.receiver.titles == ["[recon] CRITICAL cycle failed"]
    assert "Runbook: docs/operations.md#cycle-failed" in site.receiver.told[0]["message"]
    (site.folder / "away.yaml").rename(site.folder / "inventory.yaml")
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: site.reports() and site.settled())
    bell, now = site.bell(), datetime.now(UTC)
    bell.round(now)
    bell.round(now + timedelta(minutes=6))
    assert any(title.startswith("[recon] over: cycle failed") for title in site.receiver.titles) or any(
        "over: cycle failed" in one["message"] for one in site.receiver.told
    )


def test_a_broker_that_is_away_is_told_by_a_process_beside_it(site):
    bell, now = site.bell(), datetime.now(UTC)
    site.server.kill()
    bell.round(now)
    bell.round(now + timedelta(seconds=30))
    assert any("CRITICAL broker unreachable" in title for title in site.receiver.titles)
    heard = len(site.receiver.told)
    site.bell().round(now + timedelta(seconds=60))  # another process knows what was told
    assert len(site.receiver.told) == heard


def test_a_channel_that_refuses_is_kept_waiting_for_and_no_secret_is_written(site, caplog):
    bell, now = site.bell(), datetime.now(UTC)
    site.receiver.status = 500
    (problem,) = bell.round(now).outcomes.values()
    assert "500" in problem
    assert bell.round(now + timedelta(seconds=30)).outcomes == {}
    site.receiver.status = 200
    assert set(bell.round(now + timedelta(seconds=90)).outcomes.values()) == {""}
    assert site.receiver.told
    kept = (site.folder / ".recon/alerts.json").read_text()
    assert "canary" not in kept + caplog.text


def test_the_commands_tell_what_stands_and_whether_channels_can_be_reached(site):
    done = site.recon("alerts", "test")
    assert (done.returncode, done.stdout.split(":")[-1].strip()) == (0, "told"), done.stderr
    assert site.receiver.titles == ["[recon] test"]
    site.receiver.status = 500
    done = site.recon("alerts", "test", "--json")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["channels"][0]["told"]
    listed = site.recon("alerts", "ls", "--json")
    document = json.loads(listed.stdout)
    assert [one["name"] for one in document["conditions"]] == ["cycle late"]
    assert "canary" not in done.stdout + listed.stdout + site.recon("alerts", "ls").stdout


def test_without_a_channel_a_test_says_how_to_name_one(tmp_path):
    (tmp_path / "recon.yaml").write_text("lake: data\n")
    code = "from recon.cli import main; main()"
    environment = {name: text for name, text in os.environ.items() if not name.startswith("RECON_")}
    done = subprocess.run(
        [sys.executable, "-c", code, "alerts", "test", "--config", "recon.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "set RECON_ALERT_URLS" in done.stderr
