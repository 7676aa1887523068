"""Tasks under leases, for an event loop.

::

    async with AsyncConsumer("redis://localhost", scrapers=["nba_api_scraper"]) as consumer:
        consumer.stop_on_signals()
        async for task in consumer:
            async with task:
                for key in task.keys:
                    await write(task.lake, key)
                await task.done()
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self

from recon.adapters.redis_client import AsyncRedisBroker
from recon.core.lease_calls import Call, T, release_call, settle_call
from recon.errors import BrokerError, BrokerUnreachableError
from recon.model import Lease, Settlement
from recon.sdk.hand import Hand
from recon.sdk.leased import LeasedTask, document_of, unreadable_call
from recon.sdk.stop_signals import stop_on_signals
from recon.sdk.terms import AGAIN_S, Terms, checked_terms

_log = logging.getLogger("recon.sdk")


class AsyncTask(LeasedTask):
    """One task of which this consumer has the lease; what its verbs say and return is told at ``Task``."""

    def __init__(
        self,
        lease: Lease,
        document: Any,
        tell: Callable[[AsyncTask, Call[list[str]]], Awaitable[str]],
    ) -> None:
        super().__init__(lease, document)
        self._tell = tell

    async def done(self, keys: Sequence[str] | None = None) -> str:
        """Say that the lake holds its keys now, or only ``keys`` of them; recon looks whether it does."""
        return await self._tell(self, settle_call([self.lease], Settlement.DONE, keys=keys))

    async def failed(self, error: str, *, delay_s: float | None = None) -> str:
        """Say that it is to be tried again, after ``delay_s`` or a wait that doubles with each attempt."""
        call = settle_call([self.lease], Settlement.FAILED, error=error, delay_s=delay_s)
        return await self._tell(self, call)

    async def absent(self, evidence: str, keys: Sequence[str] | None = None) -> str:
        """Say that the source has no such data, or not for ``keys``, and how that is known."""
        call = settle_call([self.lease], Settlement.ABSENT, keys=keys, evidence=evidence)
        return await self._tell(self, call)

    async def poison(self, error: str) -> str:
        """Say that it must never be tried again."""
        return await self._tell(self, settle_call([self.lease], Settlement.POISON, error=error))

    async def release(self, *, delay_s: float = 0.0) -> str:
        """Give it back undone, its attempt refunded; return released, cancelled or lost."""
        return await self._tell(self, release_call([self.lease], delay_s=delay_s))

    async def leave(self, error: BaseException | None = None) -> None:
        """Say of a task that was not settled that it failed, or give it back."""
        call = self.parting(error)
        if call is not None:
            await self._tell(self, call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            await self.leave(error)
        except BrokerError:
            if error is None:
                raise
            _log.exception("task %s failed, and the queue could not be told", self.id)


class AsyncConsumer:
    """Leases tasks and keeps the leases alive; iterate over it, from one coroutine or from several.

    What it takes and promises is told at ``Consumer``. A task's work must not block the event loop for a
    third of the visibility: the heartbeat runs on it too.
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
        self._broker = AsyncRedisBroker.connect(url)
        self._hand: Hand[AsyncTask] = Hand()
        self._stopping = False
        self._heart: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[AsyncTask]:
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

    async def run(self, work: Callable[[AsyncTask], Awaitable[object]], *, concurrency: int = 1) -> None:
        """Await ``work`` with each task, ``concurrency`` at once; what it raises is logged: it failed."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(concurrency):
                lanes.create_task(self._lane(work))

    async def next_task(self) -> AsyncTask | None:
        """Wait for a task and return it; None once it is time to stop."""
        began = monotonic()
        while not self.stopping:
            task = self._hand.begin()
            if task is None and await self._lease():
                continue
            if task is not None and task.cancelled:
                await task.leave()
            elif task is not None:
                return task
            else:
                wait = self._terms.wait(monotonic() - began)
                if wait is None:
                    return None
                await self._patiently(partial(self._broker.command, *wait))
        await self._give_back(self._hand.put_down())
        return None

    async def close(self) -> None:
        """Stop, give back every task that is not settled, and close the connections."""
        self.stop()
        self._hand.put_down()
        try:
            await self._give_back(self._hand.tasks())
        except BrokerError as error:
            _log.warning("leases are left to end by themselves: %s", error)
        if self._heart is not None:
            self._heart.cancel()
            with suppress(asyncio.CancelledError):
                await self._heart
        await self._broker.close()

    async def _lane(self, work: Callable[[AsyncTask], Awaitable[object]]) -> None:
        async for task in self:
            try:
                async with task:
                    await work(task)
            except BrokerError:
                raise
            except Exception:  # noqa: BLE001 - whatever a scraper raises, the next task is taken
                _log.exception("task %s failed", task.id)

    async def _lease(self) -> bool:
        leases = await self._run(self._terms.lease())
        readable = [(lease, document_of(lease)) for lease in leases]
        damaged = [lease for lease, document in readable if document is None]
        if damaged:
            await self._run(unreadable_call(damaged))
        self._hand.take_in(
            [AsyncTask(lease, document, self._tell) for lease, document in readable if document is not None]
        )
        if leases and self._heart is None:
            self._heart = asyncio.create_task(self._beat(), name="recon-heartbeat")
        return bool(leases)

    async def _tell(self, task: AsyncTask, call: Call[list[str]]) -> str:
        (word,) = await self._run(call)
        task.note_told()
        self._hand.let_go(task)
        return word

    async def _give_back(self, tasks: Sequence[AsyncTask]) -> None:
        if tasks:
            await self._run(
                release_call([task.lease for task in reversed(tasks)])
            )  # each goes first in its list
        for task in tasks:
            task.note_told()
            self._hand.let_go(task)

    async def _beat(self) -> None:
        wait_s = self._terms.beat_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._terms.beat_s
            tasks = self._hand.tasks()
            if not tasks:
                continue
            call = self._terms.beat([task.lease for task in tasks])
            try:
                words = call.read(await self._broker.run(call.script, self._keys, call.args))
            except BrokerError as error:
                _log.warning("a heartbeat failed, and is tried again: %s", error)
                wait_s = min(wait_s, AGAIN_S)
                continue
            for task, word in zip(tasks, words, strict=True):
                task.note_beat(word)

    async def _run(self, call: Call[T]) -> T:
        keys = self._keys
        return call.read(await self._patiently(lambda: self._broker.run(call.script, keys, call.args)))

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        give_up_at = monotonic() + self._terms.patience_s
        while True:
            try:
                return await ask()
            except BrokerUnreachableError as error:
                if self.stopping or monotonic() > give_up_at:
                    raise
                _log.warning("Redis does not answer, and is asked again: %s", error)
                await asyncio.sleep(random.uniform(0.5, 1.5))


class _Turns(AsyncIterator[AsyncTask]):
    """One coroutine's way through the tasks: whoever asks for the next has left the one before."""

    def __init__(self, consumer: AsyncConsumer) -> None:
        self._consumer = consumer
        self._last: AsyncTask | None = None

    async def __anext__(self) -> AsyncTask:
        if self._last is not None:
            await self._last.leave()
        self._last = await self._consumer.next_task()
        if self._last is None:
            raise StopAsyncIteration
        return self._last
