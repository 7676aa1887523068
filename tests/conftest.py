"""What holds for every test."""

from __future__ import annotations

import signal

import pytest
from engine_place import shared_sample

# In a shell's background Ctrl-C is ignored, and by every process that a test starts too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A sample lake that nothing may be written to: it is the whole test run's."""
    return shared_sample(tmp_path_factory.getbasetemp())
