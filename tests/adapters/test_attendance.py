"""A lock that can be had proves that nobody is left: real processes, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from recon.adapters.attendance import Attendance

JOIN = """
import os, sys, time
from pathlib import Path
from recon.adapters.attendance import Attendance
getattr(Attendance(Path(sys.argv[1])), sys.argv[2])()
child = os.fork() if "fork" in sys.argv else -1
if child:
    print(child, flush=True)
time.sleep(100)
"""


@contextmanager
def at_work(folder: Path, *words: str):
    """Yield a process that has joined, and its child's id."""
    command = [sys.executable, "-c", JOIN, str(folder), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    try:
        yield process, int(process.stdout.readline())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def is_alone(folder: Path, patience_s: float = 0.0) -> bool:
    asked = Attendance(folder)
    try:
        return asked.alone(patience_s)
    finally:
        asked.leave()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_nobody_is_at_work_in_a_new_folder(tmp_path):
    assert is_alone(tmp_path / "new")


def test_who_is_at_work_is_seen_until_it_is_killed(tmp_path):
    with at_work(tmp_path, "join") as (process, _):
        assert not is_alone(tmp_path)
        kill(process)
        assert is_alone(tmp_path)


def test_a_child_that_outlives_its_killed_parent_is_at_work(tmp_path):
    with at_work(tmp_path, "join", "fork") as (process, child):
        process.kill()
        assert not is_alone(tmp_path)
        os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not is_alone(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.wait()


def test_a_crew_gets_time_to_end_and_no_more(tmp_path):
    with at_work(tmp_path, "join_crew") as (process, _):
        began = time.monotonic()
        assert not is_alone(tmp_path, patience_s=0.2)
        assert time.monotonic() - began < 5
        with subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -KILL {process.pid}"]):
            assert is_alone(tmp_path, patience_s=10)


def test_who_is_alone_keeps_others_out_until_it_joins_and_is_then_at_work_itself(tmp_path):
    first, second, third = (Attendance(tmp_path) for _ in range(3))
    assert first.alone(0)
    assert not second.alone(0)
    first.join()
    second.join()
    third.join_crew()
    first.leave()
    assert not is_alone(tmp_path)
    second.leave()
    assert not is_alone(tmp_path)
    third.leave()
    assert is_alone(tmp_path)
