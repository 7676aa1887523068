"""Tasks under leases, for threads.

::

    with Consumer("redis://localhost", scrapers=["nba_api_scraper"]) as consumer:
        consumer.stop_on_signals()
        for task in consumer:
            with task:
                for key in task.keys:
                    write(task.lake, key)
                task.done()
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Event, Lock, Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from recon.adapters.redis_client import RedisBroker
from recon.core.lease_calls import Call, T, release_call, settle_call
from recon.errors import BrokerError, BrokerUnreachableError
from recon.model import Lease, Settlement
from recon.sdk.hand import Hand
from recon.sdk.leased import LeasedTask, document_of, unreadable_call
from recon.sdk.stop_signals import stop_on_signals
from recon.sdk.terms import AGAIN_S, Terms, checked_terms

#: Seconds that a heartbeat on its way may take when the consumer is closed.
HEART_STOPS_S = 5.0

_log = logging.getLogger("recon.sdk")


class Task(LeasedTask):
    """One task of which this consumer has the lease.

    Settling returns settled, late (the lease had ended; it counts all the same), repeated, taken (another
    consumer has it) or unknown. A ``with`` block that is left without settling says that it failed.
    """

    def __init__(self, lease: Lease, document: Any, tell: Callable[[Task, Call[list[str]]], str]) -> None:
        super().__init__(lease, document)
        self._tell = tell

    def done(self, keys: Sequence[str] | None = None) -> str:
        """Say that the lake holds its keys now, or only ``keys`` of them; recon looks whether it does."""
        return self._tell(self, settle_call([self.lease], Settlement.DONE, keys=keys))

    def failed(self, error: str, *, delay_s: float | None = None) -> str:
        """Say that it is to be tried again, after ``delay_s`` or a wait that doubles with each attempt."""
        return self._tell(self, settle_call([self.lease], Settlement.FAILED, error=error, delay_s=delay_s))

    def absent(self, evidence: str, keys: Sequence[str] | None = None) -> str:
        """Say that the source has no such data, or not for ``keys``, and how that is known."""
        return self._tell(self, settle_call([self.lease], Settlement.ABSENT, keys=keys, evidence=evidence))

    def poison(self, error: str) -> str:
        """Say that it must never be tried again."""
        return self._tell(self, settle_call([self.lease], Settlement.POISON, error=error))

    def release(self, *, delay_s: float = 0.0) -> str:
        """Give it back undone, its attempt refunded; return released, cancelled or lost."""
        return self._tell(self, release_call([self.lease], delay_s=delay_s))

    def leave(self, error: BaseException | None = None) -> None:
        """Say of a task that was not settled that it failed, or give it back."""
        call = self.parting(error)
        if call is not None:
            self._tell(self, call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            self.leave(error)
        except BrokerError:
            if error is None:
                raise
            _log.exception("task %s failed, and the queue could not be told", self.id)


class Consumer:
    """Leases tasks and keeps the leases alive; iterate over it, from one thread or from several.

    A call that Redis does not answer is repeated for ``patience_s``, then raises ``BrokerError``. Iteration
    ends after ``stop()``, and, with ``idle_s``, after so long without a task. Leaving the ``with`` block
    gives back what is not settled.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "recon",
        scrapers: Sequence[str] = (),
        visibility_s: float = 900.0,
        batch: int = 1,
        weighted: bool = False,
        idle_s: float | None = None,
        patience_s: float = 60.0,
        allow_insecure: bool = False,
    ) -> None:
        terms = Terms(
            prefix, tuple(scrapers), visibility_s, batch, weighted, idle_s, patience_s, random.random
        )
        self._terms = checked_terms(url, terms, allow_insecure=allow_insecure)
        self._keys = terms.keys
        self._broker = RedisBroker.connect(url)
        self._hand: Hand[Task] = Hand()
        self._stopping = False
        self._closed = Event()
        self._heart: Thread | None = None
        self._heart_lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Task]:
        return _Turns(self)

    @property
    def stopping(self) -> bool:
        """Tell whether it was asked to stop: a long task may be left early, or released."""
        return self._stopping

    def stop(self) -> None:
        """End iteration after the tasks at work; may be called from anywhere, a signal handler included."""
        self._stopping = True

    def stop_on_signals(self) -> None:
        """Stop on the first SIGTERM or SIGINT; the second ends the process at once."""
        stop_on_signals(self.stop)

    def run(self, work: Callable[[Task], object]) -> None:
        """Call ``work`` with each task; what it raises is logged, and the task has failed."""
        for task in self:
            try:
                with task:
                    work(task)
            except BrokerError:
                raise
            except Exception:  # noqa: BLE001 - whatever a scraper raises, the next task is taken
                _log.exception("task %s failed", task.id)

    def next_task(self) -> Task | None:
        """Wait for a task and return it; None once it is time to stop."""
        began = monotonic()
        while not self.stopping:
            task = self._hand.begin()
            if task is None and self._lease():
                continue
            if task is not None and task.cancelled:
                task.leave()
            elif task is not None:
                return task
            else:
                wait = self._terms.wait(monotonic() - began)
                if wait is None:
                    return None
                self._patiently(partial(self._broker.command, *wait))
        self._give_back(self._hand.put_down())
        return None

    def close(self) -> None:
        """Stop, give back every task that is not settled, and close the connections."""
        self.stop()
        self._hand.put_down()
        try:
            self._give_back(self._hand.tasks())
        except BrokerError as error:
            _log.warning("leases are left to end by themselves: %s", error)
        self._closed.set()
        if self._heart is not None:
            self._heart.join(HEART_STOPS_S)
        self._broker.close()

    def _lease(self) -> bool:
        leases = self._run(self._terms.lease())
        readable = [(lease, document_of(lease)) for lease in leases]
        damaged = [lease for lease, document in readable if document is None]
        if damaged:
            self._run(unreadable_call(damaged))
        self._hand.take_in(
            [Task(lease, document, self._tell) for lease, document in readable if document is not None]
        )
        if leases:
            self._start_heart()
        return bool(leases)

    def _tell(self, task: Task, call: Call[list[str]]) -> str:
        (word,) = self._run(call)
        task.note_told()
        self._hand.let_go(task)
        return word

    def _give_back(self, tasks: Sequence[Task]) -> None:
        if tasks:
            self._run(release_call([task.lease for task in reversed(tasks)]))  # each goes first in its list
        for task in tasks:
            task.note_told()
            self._hand.let_go(task)

    def _start_heart(self) -> None:
        with self._heart_lock:
            if self._heart is None:
                self._heart = Thread(target=self._beat, name="recon-heartbeat", daemon=True)
                self._heart.start()

    def _beat(self) -> None:
        wait_s = self._terms.beat_s
        while not self._closed.wait(wait_s):
            wait_s = self._terms.beat_s
            tasks = self._hand.tasks()
            if not tasks:
                continue
            call = self._terms.beat([task.lease for task in tasks])
            try:
                words = call.read(self._broker.run(call.script, self._keys, call.args))
            except BrokerError as error:
                _log.warning("a heartbeat failed, and is tried again: %s", error)
                wait_s = min(wait_s, AGAIN_S)
                continue
            for task, word in zip(tasks, words, strict=True):
                task.note_beat(word)

    def _run(self, call: Call[T]) -> T:
        keys = self._keys
        return call.read(self._patiently(lambda: self._broker.run(call.script, keys, call.args)))

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        give_up_at = monotonic() + self._terms.patience_s
        while True:
            try:
                return ask()
            except BrokerUnreachableError as error:
                if self.stopping or monotonic() > give_up_at:
                    raise
                _log.warning("Redis does not answer, and is asked again: %s", error)
                sleep(random.uniform(0.5, 1.5))


class _Turns(Iterator[Task]):
    """One thread's way through the tasks: whoever asks for the next has left the one before."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._last: Task | None = None

    def __next__(self) -> Task:
        if self._last is not None:
            self._last.leave()
        self._last = self._consumer.next_task()
        if self._last is None:
            raise StopIteration
        return self._last
