"""A failed cycle is tried again a bounded number of times, under names that follow from each other."""

from __future__ import annotations

import time

import pytest

from recon.errors import (
    AccessDeniedError,
    BrokerError,
    ConfigError,
    CycleFencedError,
    CycleLockedError,
    LakeUnreachableError,
    LedgerLostError,
    QueuesTakenError,
    StateError,
)
from workers import retrying
from workers.retrying import FIRST, next_attempt, run_attempts, through_outages

PASSING = (LakeUnreachableError, BrokerError, StateError, LedgerLostError)
LASTING = (ConfigError, CycleLockedError, CycleFencedError, QueuesTakenError, AccessDeniedError)


class Flaky:
    """Fails as often as it is told, then returns how often it was called."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retrying, "RUN_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(retrying, "RUN_LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr(retrying, "BROKER_WAIT_S", 0.01)


def test_attempts_are_named_after_the_first_and_end_at_the_configured_number():
    made, cycle_id, flags = [], "20261123T090000-abc", dict(FIRST)
    while (attempt := next_attempt(cycle_id, flags, 3)) is not None:
        cycle_id, flags = attempt.cycle_id, attempt.flags
        made.append(cycle_id)
        assert 15 <= attempt.wait_s <= 300
    assert made == [f"20261123T090000-abc-r{number}" for number in (1, 2, 3)]
    assert flags == {"attempt": 3}


def test_a_cycle_that_nobody_scheduled_and_a_limit_of_zero_have_no_further_attempt():
    assert next_attempt("one", {"select": []}, 3) is None
    assert next_attempt("one", dict(FIRST), 0) is None


@pytest.mark.parametrize("error", PASSING)
def test_a_run_is_tried_again_while_its_errors_may_pass(error):
    said: list[str] = []
    run = Flaky(error("away"), error("away"))
    assert run_attempts(run, 3, said.append) == 3
    assert len(said) == 2
    assert all(line.startswith("away") for line in said)


def test_a_run_is_tried_again_no_more_often_than_configured():
    for most in (0, 1, 3):
        run = Flaky(*(BrokerError(str(number)) for number in range(10)))
        with pytest.raises(BrokerError, match=str(most)):
            run_attempts(run, most, lambda _: None)
        assert run.calls == most + 1


@pytest.mark.parametrize("error", LASTING)
def test_a_run_is_not_tried_again_where_that_cannot_help(error):
    run = Flaky(error("no"))
    with pytest.raises(error):
        run_attempts(run, 3, lambda _: None)
    assert run.calls == 1


def test_a_person_at_the_terminal_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(retrying, "RUN_PATIENCE_S", 0.05)
    run = Flaky(*(BrokerError("away") for _ in range(1000)))
    started = time.monotonic()
    with pytest.raises(BrokerError):
        run_attempts(run, 1000, lambda _: None)
    assert time.monotonic() - started < 5
    assert run.calls < 20


def test_a_step_waits_for_redis_and_for_nothing_else(monkeypatch):
    assert through_outages(Flaky(BrokerError("away"), BrokerError("away"))) == 3
    for error in (LedgerLostError, QueuesTakenError, CycleFencedError, StateError):
        step = Flaky(error("no"))
        with pytest.raises(error):
            through_outages(step)
        assert step.calls == 1
    monkeypatch.setattr(retrying, "BROKER_PATIENCE_S", 0.05)
    with pytest.raises(BrokerError):
        through_outages(Flaky(*(BrokerError("away") for _ in range(1000))))
