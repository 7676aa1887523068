"""Whatever the engine, consumers, faults and time do to the queues, in any order, the books hold."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from queue_machine import QueueMachine, QueueParts

ENOUGH = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_no_order_of_operations_breaks_the_books_or_loses_a_task(redis_server, broker):
    parts = QueueParts(redis_server.client, broker)
    run_state_machine_as_test(lambda: QueueMachine(parts), settings=ENOUGH)
