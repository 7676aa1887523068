"""One finished cycle over the sample lake, for the commands that read it."""

from __future__ import annotations

import pytest
from engine_place import sampled_place


@pytest.fixture(scope="session")
def finished(tmp_path_factory, sample):
    made = sampled_place(tmp_path_factory.mktemp("finished"), sample)
    made.run("--inline")
    yield made
    made.recon("down")
