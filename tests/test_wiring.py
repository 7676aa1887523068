from __future__ import annotations

import pytest

from recon.settings import load_settings
from recon.wiring import options


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
