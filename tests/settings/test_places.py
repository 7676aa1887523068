from __future__ import annotations

import pytest

from recon.settings import below


@pytest.mark.parametrize(
    ("place", "root", "path"),
    [
        ("s3://b/x/y", "s3://b/x", "y"),
        ("s3://b/x/y/z", "s3://b", "x/y/z"),
        ("s3://b//x/", "s3://b/x", ""),
        ("s3://b/xy", "s3://b/x", None),
        ("s3://b", "s3://b/x", None),
        ("s3://bb/x", "s3://b", None),
        ("file:///b/x", "s3://b", None),
        ("file:///srv/a/b", "file:///srv/a", "b"),
        ("file:///srv/a/../b", "file:///srv/b", ""),
        ("file:///srv/ab", "file:///srv/a", None),
    ],
)
def test_a_place_lies_below_another_by_whole_segments(place, root, path):
    assert below(place, root) == path


def test_a_folder_is_one_place_under_each_of_its_names(tmp_path):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert below(f"file://{tmp_path}/link", f"file://{tmp_path}/real") == ""
    assert below(f"file://{tmp_path}/real/inner", f"file://{tmp_path}/link") == "inner"
