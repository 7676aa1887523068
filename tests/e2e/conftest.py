"""One engine for each test that asks for it, stopped afterwards."""

from __future__ import annotations

import pytest
from engine_place import own_sampled_place, sampled_place


@pytest.fixture
def place(tmp_path, sample):
    made = sampled_place(tmp_path, sample)
    yield made
    made.recon("down")


@pytest.fixture
def own_place(tmp_path, sample):
    """A place to whose lake a test may write."""
    made = own_sampled_place(tmp_path, sample)
    yield made
    made.recon("down")
