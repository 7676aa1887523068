"""A supervisor starts again what dies, later each time, and stops all within its time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from workers import supervisor as supervisors
from workers.supervisor import Role, Supervisor

SLEEPER = Role("sleeper", ("-c", "import time; time.sleep(60)"), 2.0)
DEAF = Role("deaf", ("-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"), 60.0)
DYING = Role("dying", ("-c", "raise SystemExit(3)"), 1.0)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(said):
    made: list[Supervisor] = []

    def start(*roles: Role) -> Supervisor:
        made.append(Supervisor(roles, dict(os.environ), said.append))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.kill()


def wait_until(what, patience_s: float = 10.0) -> None:
    give_up_at = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def test_what_dies_is_started_again_and_how_it_ended_is_told(supervise, said, monkeypatch):
    monkeypatch.setattr(supervisors, "FIRST_WAIT_S", 0.1)
    engine = supervise(SLEEPER)
    first = engine.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        engine.look()
        return engine.pids().get("sleeper", first) != first

    wait_until(is_back)
    assert "sleeper ended (signal 9); it is started again in 0.1 s" in said


def test_what_keeps_dying_is_started_later_each_time(supervise, said, monkeypatch):
    monkeypatch.setattr(supervisors, "FIRST_WAIT_S", 0.05)
    engine = supervise(DYING)

    def has_died(times: int) -> bool:
        engine.look()
        return sum("ended" in line for line in said) >= times

    wait_until(lambda: has_died(4))
    waits = [line.rpartition("in ")[2] for line in said if "ended" in line]
    assert waits[:4] == ["0.05 s", "0.1 s", "0.2 s", "0.4 s"]
    assert "dying ended (exit code 3)" in said[1]


def test_what_does_not_stop_in_time_is_killed(supervise):
    engine = supervise(SLEEPER, DEAF)
    pids = engine.pids().values()
    time.sleep(0.5)  # until the deaf one hears nothing
    began = time.monotonic()
    engine.stop(["sleeper"], 1.0)
    assert time.monotonic() - began < 20
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
