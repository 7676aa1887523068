"""One engine for each test that asks for it, stopped afterwards."""

from __future__ import annotations

import pytest
from engine_place import new_place


@pytest.fixture
def place(tmp_path):
    made = new_place(tmp_path)
    yield made
    made.recon("down")
