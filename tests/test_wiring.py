from __future__ import annotations

import time

import pytest
from queue_machine import LISTS, SEEN, task

from recon.access import down
from recon.model import Settlement
from recon.ports import TaskResult
from recon.queues import servers, task_queue
from recon.settings import load_settings
from recon.wiring import engine, options, planned, report_files, report_place


@pytest.mark.parametrize("lake", ["file://{folder}/real", "file://{folder}/link"])
def test_the_state_and_the_output_inside_the_lake_are_no_lake_data_whatever_the_folder_is_called(
    tmp_path, lake
):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "recon.yaml").write_text(
        f"lake: {lake.format(folder=tmp_path)}\nstate: file://{tmp_path}/link/.recon\n"
        "task_queue: {output_file: link/gaps.json}\n",
    )
    chosen = load_settings("recon.yaml", {}, cwd=tmp_path)
    assert options(chosen, {}).own == (".recon/", "gaps.json")


def test_reports_of_aws_below_the_lakes_prefix_are_no_lake_data(tmp_path):
    (tmp_path / "recon.yaml").write_text(
        "lake: s3://b/x\nstate: s3://b/state\nbroker: redis://localhost\n"
        "s3: {inventory_bucket: b, inventory_prefix: x/reports/}\n",
    )
    assert options(load_settings("recon.yaml", {}, cwd=tmp_path), {}).own == ("reports/",)


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("use_aws_inventory: true", ("inventory-reports/",)),
        ("inventory_bucket: b", ("inventory-reports/",)),
        ("use_aws_inventory: true, inventory_prefix: ''", ("b/",)),
        ("inventory_bucket: other", ()),
        ("use_aws_inventory: false", ()),
    ],
)
def test_reports_in_the_lakes_bucket_are_no_lake_data_wherever_they_go_by_default(tmp_path, said, own):
    (tmp_path / "recon.yaml").write_text(
        f"lake: s3://b\nstate: s3://elsewhere/state\nbroker: redis://localhost\ns3: {{{said}}}\n"
    )
    chosen = load_settings("recon.yaml", {}, cwd=tmp_path)
    assert options(chosen, {}).own == own


@pytest.mark.parametrize(
    ("bucket", "found"),
    [("", "lake"), ("reports", "reports"), ("nowhere", "lake"), ("file://{folder}/reports", "reports")],
)
def test_reports_of_a_folder_are_looked_for_in_it_or_beside_it(tmp_path, bucket, found):
    for name in ("lake", "reports"):
        (tmp_path / name / "inventory-reports" / name).mkdir(parents=True)
    told = bucket.format(folder=tmp_path)
    (tmp_path / "recon.yaml").write_text(f"lake: lake\ns3: {{inventory_bucket: {told or 'null'}}}\n")
    files = report_files(load_settings("recon.yaml", {}, cwd=tmp_path))
    assert files.folders(b"inventory-reports/").prefixes == (f"inventory-reports/{found}/".encode(),)


@pytest.mark.parametrize(("s3", "bucket"), [("", "lake"), ("bucket: nba-lake", "nba-lake")])
def test_a_copy_has_its_buckets_name(tmp_path, s3, bucket):
    (tmp_path / "recon.yaml").write_text(f"lake: lake\ns3: {{{s3}}}\n")
    assert report_place(load_settings("recon.yaml", {}, cwd=tmp_path)).bucket == bucket


@pytest.mark.parametrize(("wanted", "looked_for"), [("true", True), ("false", False)])
def test_reports_are_looked_for_only_where_they_are_wanted(tmp_path, monkeypatch, wanted, looked_for):
    (tmp_path / "lake/inventory-reports").mkdir(parents=True)
    (tmp_path / "inventory.yaml").write_text(
        "expected_coverage: {a: {data_types: {b: {path_patterns: ['a/{n}']}}}}\n"
    )
    (tmp_path / "recon.yaml").write_text(
        f"lake: lake\ninventory: inventory.yaml\ntask_queue: {{mode: file}}\n"
        f"s3: {{use_aws_inventory: {wanted}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    chosen = load_settings("recon.yaml", {}, cwd=tmp_path)
    try:
        told = planned(engine(chosen), "one", {}).told
    finally:
        down(chosen)
    assert any("report" in notice.message for notice in told) is looked_for


@pytest.mark.parametrize(("days", "outcome"), [("7", "dead"), ("0", "new")])
def test_a_task_that_was_given_up_is_published_again_once_its_days_are_over(tmp_path, days, outcome):
    (tmp_path / "recon.yaml").write_text(
        f"lake: lake\ninventory: inventory.yaml\ntask_queue: {{task_ttl_days: {days}}}\n"
    )
    chosen = load_settings("recon.yaml", {}, cwd=tmp_path)
    try:
        redis = servers(chosen)
        queue = task_queue(chosen, redis)
        queue.publish([task(0, 1)], fence=1, observed_at=SEEN)
        redis["broker"].command("LPOP", LISTS[1])
        queue.settle([TaskResult(task(0, 1).id, Settlement.POISON, error="it breaks whoever reads it")])
        time.sleep(0.01)
        queue.tick()
        told = queue.publish([task(0, 1)], fence=1, observed_at=SEEN)
    finally:
        down(chosen)
    assert told == {task(0, 1).id: outcome}
