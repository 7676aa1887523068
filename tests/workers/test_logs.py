"""The ids that travel with each task, into every line of the workers that take it up."""

from __future__ import annotations

import json
import subprocess
import sys

from installation import CONTROL, SCAN, site_in

from workers.logs import HEADERS

PARAMETERS = """
import inspect, json
from workers import tasks
from workers.app import app
ours = {name: found for name, found in app.tasks.items() if name.startswith("recon.")}
print(json.dumps({name: list(inspect.signature(found.run).parameters) for name, found in ours.items()}))
"""


def test_every_task_that_acts_for_a_cycle_sends_its_ids(tmp_path):
    with site_in(tmp_path) as site:
        said = subprocess.run(
            [sys.executable, "-c", PARAMETERS],
            env=site.environment,
            capture_output=True,
            text=True,
            check=True,
        )
    ours = {
        name: [word for word in words if word.endswith("_id")]
        for name, words in json.loads(said.stdout).items()
    }
    assert {name: list(ids) for name, ids in HEADERS.items()} == {k: ids for k, ids in ours.items() if ids}


def test_each_line_of_the_workers_about_a_cycle_tells_which_and_which_shard(tmp_path):
    with site_in(tmp_path) as site:
        site.configure("logging: {format: json, output_dir: logs}\n")
        site.start(*CONTROL)
        site.start(*SCAN)
        site.scheduled_cycle()
        site.wait_for(lambda: site.reports() and site.settled())
        (report,) = site.reports()

        def lines(role):
            text = (tmp_path / "logs" / f"{role}.log").read_text()
            return [json.loads(line) for line in text.splitlines()]

        site.wait_for(lambda: any("has finished" in one["message"] for one in lines("control")))
        scanned = [one for one in lines("scan") if (one["task"] or "").startswith("recon.scan_shard")]
        assert {one["logger"] for one in scanned} >= {"celery.worker.strategy", "celery.app.trace"}
        assert all(one["cycle_id"] == report["cycle_id"] and one["shard_id"] for one in scanned)
        about = [one for one in lines("control") if one["task"] in {"recon.begin", "recon.finish"}]
        assert {one["cycle_id"] for one in about} == {report["cycle_id"]}
        assert {one["shard_id"] for one in about} == {None}
        assert len({one["pid"] for one in about}) == 2  # the worker, and its pool's child
