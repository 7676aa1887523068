"""What holds for every test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from engine_place import shared_sample
from redis_servers import valkey

__all__ = ["valkey"]

#: The files that take longest are begun first, each by a process of its own: what ends last is short.
LONGEST = (
    "workers/test_daemon.py",
    "workers/test_driver.py",
    "workers/test_faults.py",
    "e2e/test_demo_loop.py",
    "e2e/test_report_run.py",
    "e2e/test_deployment.py",
    "e2e/test_sample_lake_run.py",
    "workers/test_no_secrets.py",
    "test_soak.py",
    "test_examples.py",
    "e2e/test_set_up.py",
    "cli/test_work.py",
)

# In a shell's background Ctrl-C is ignored, under nohup SIGHUP, and by every process that a test starts too.
for ignored, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, usual)


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A sample lake that nothing may be written to: it is the whole test run's."""
    return shared_sample(tmp_path_factory.getbasetemp())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    turns = {Path(__file__).parent / name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.path, len(turns)))
