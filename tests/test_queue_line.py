"""Calls to the queues outlive an outage, and end with it where it does not."""

from __future__ import annotations

import time

import pytest

from recon.errors import BrokerError, QueuesTakenError
from recon.queue_line import QueueLine


def failing(error=None):
    def call():
        raise error or BrokerError("Redis is away")

    return call


def made(patience_s=60.0):
    said: list[str] = []
    return QueueLine(patience_s, said.append), said


def test_the_first_call_of_all_fails_as_it_does():
    line, _ = made()
    with pytest.raises(BrokerError, match="Redis is away"):
        line.tried(failing())


def test_later_ones_are_tried_again_after_a_while_and_an_outage_is_said_once():
    line, said = made()
    assert line.tried(lambda: 1) == 1
    assert line.tried(failing()) is None
    assert line.is_down
    assert line.tried(lambda: 2) is None
    time.sleep(max(0.0, line.again_at_s - time.monotonic()))
    assert line.tried(failing()) is None
    time.sleep(max(0.0, line.again_at_s - time.monotonic()))
    assert line.tried(lambda: 3) == 3
    assert not line.is_down
    assert said == ["the queues do not answer, trying again: Redis is away", "the queues answer again"]


def test_an_outage_longer_than_every_lease_is_the_end():
    line, _ = made(patience_s=0.1)
    line.tried(lambda: 1)
    line.tried(failing())
    time.sleep(max(0.0, line.again_at_s - time.monotonic()))
    with pytest.raises(BrokerError):
        line.tried(failing())


def test_what_waiting_cannot_mend_is_the_end_at_once():
    line, _ = made()
    line.tried(lambda: 1)
    with pytest.raises(QueuesTakenError):
        line.tried(failing(QueuesTakenError("another lake's")))
