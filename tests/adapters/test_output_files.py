"""Files for other programs are whole whenever somebody reads them."""

from __future__ import annotations

import pytest

from recon.adapters.output_files import OutputFiles
from recon.errors import StateError


def test_a_file_is_written_below_the_folder_with_its_parents_and_nothing_beside_it(tmp_path):
    OutputFiles(tmp_path).put("inventory/gaps.json", b"{}")
    assert (tmp_path / "inventory/gaps.json").read_bytes() == b"{}"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["gaps.json", "inventory"]


def test_an_absolute_name_is_taken_as_it_is(tmp_path):
    OutputFiles(tmp_path / "here").put(str(tmp_path / "there/gaps.json"), b"{}")
    assert (tmp_path / "there/gaps.json").read_bytes() == b"{}"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    outputs = OutputFiles(tmp_path)
    outputs.put("gaps.json", b"old")
    held = (tmp_path / "gaps.json").open("rb")
    outputs.put("gaps.json", b"new")
    assert held.read() == b"old"
    held.close()
    assert (tmp_path / "gaps.json").read_bytes() == b"new"


def test_a_file_that_cannot_be_written_is_named_with_the_next_step(tmp_path):
    (tmp_path / "inventory").write_text("a file, not a folder")
    with pytest.raises(StateError, match=r"inventory/gaps\.json: .*task_queue\.output_file"):
        OutputFiles(tmp_path).put("inventory/gaps.json", b"{}")
