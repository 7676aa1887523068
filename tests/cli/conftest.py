"""One finished cycle over the sample lake, for the commands that read it."""

from __future__ import annotations

import pytest
from engine_place import new_place


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    made = new_place(tmp_path_factory.mktemp("finished"))
    made.run("--inline")
    yield made
    made.recon("down")
