"""Globs of keys that are no lake data."""

from __future__ import annotations

import re

import pytest

from recon.core.ignore import ignored


@pytest.mark.parametrize(
    ("glob", "key", "hit"),
    [
        ("**/_temporary/**", "a/b/_temporary/0/x", True),
        ("**/_temporary/**", "_temporary/x", True),
        ("**/_temporary/**", "a/my_temporary/x", False),
        ("**/*.crc", "a/b/.x.crc", True),
        ("**/*.crc", "x.crc", True),
        ("**/*.crc", "x.crc.gz", False),
        ("logs/*", "logs/a/b", False),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("tmp-[0-9].x", "tmp-7.x", True),
        ("tmp-[!0-9].x", "tmp-7.x", False),
        ("tmp-[!0-9].x", "tmp-/.x", False),
        ("a[]]b", "a]b", True),
        ("a[b", "a[b", True),
        ("a[z-a]b", "azb", False),
        ("a[^&]b", "a^b", True),
    ],
)
def test_stars_cross_folders_only_in_pairs(glob, key, hit):
    assert bool(re.search(ignored([glob]) or "", key)) is hit


def test_no_globs_ignore_nothing():
    assert ignored([]) is None
