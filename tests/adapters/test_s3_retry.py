"""Waits grow and stay bounded; the gate halves under throttling and recovers."""

from __future__ import annotations

import threading

from recon.adapters.s3.retry import Gate, Patience


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
