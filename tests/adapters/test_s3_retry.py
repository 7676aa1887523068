"""Waits grow and stay bounded; the gate halves under throttling and recovers."""

from __future__ import annotations

import threading

from recon.adapters.s3.retry import OUTAGE_S, PAUSE_S, Gate, Outage, Patience


def test_waits_are_jittered_below_a_doubling_bound_that_ends():
    patience = Patience(first_wait_s=1, longest_wait_s=5)
    for attempt, bound in [(1, 1), (2, 2), (3, 4), (4, 5), (50, 5)]:
        waits = {patience.wait_s(attempt) for _ in range(100)}
        assert len(waits) > 50
        assert all(0 <= wait <= bound for wait in waits)


def test_throttled_answers_of_one_round_halve_the_gate_once():
    gate = Gate(16)
    rounds = [gate.enter(0) for _ in range(16)]
    for entered in rounds:
        gate.leave(entered, throttled=True)
    assert gate.bound == 8


def test_the_gate_never_closes():
    gate = Gate(4)
    for _ in range(20):
        gate.leave(gate.enter(0), throttled=True)
    assert gate.bound == 1
    assert gate.enter(0) is not None


def test_good_answers_open_the_gate_again_and_not_beyond():
    gate = Gate(4)
    for _ in range(3):
        gate.leave(gate.enter(0), throttled=True)
    for _ in range(100):
        gate.leave(gate.enter(0), throttled=False)
    assert gate.bound == 4


def test_a_full_gate_lets_nobody_in_until_one_leaves():
    gate = Gate(1)
    inside = gate.enter(0)
    assert gate.enter(0.01) is None
    threading.Timer(0.05, lambda: gate.leave(inside, throttled=False)).start()
    assert gate.enter(5) is not None


def test_a_server_that_answers_nobody_for_long_is_asked_now_and_then_until_it_answers():
    outage, patience = Outage(), Patience(attempts=8)
    for second in range(0, int(OUTAGE_S) + 1, 10):
        assert outage.tries(patience, second) == 8
        outage.silent(second + 9)
    gone = OUTAGE_S + 10
    assert outage.tries(patience, gone) == 0
    assert outage.tries(patience, gone + PAUSE_S) == 1
    outage.silent(gone + PAUSE_S)
    assert outage.tries(patience, gone + PAUSE_S + 1) == 0
    outage.answered()
    assert outage.tries(patience, gone + PAUSE_S + 2) == 8


def test_a_question_after_a_long_silence_is_tried_as_often_as_any():
    outage, patience = Outage(), Patience(attempts=8)
    assert outage.tries(patience, 0) == 8
    outage.silent(10)
    assert outage.tries(patience, 3600) == 8
