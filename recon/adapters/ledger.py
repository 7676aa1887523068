"""The cycle's ledger on Redis: who may run, what must report, what has reported.

Keys, under a prefix P (described at the head of ``lua/ledger.lua``): ``P:cycle:lock``, ``P:cycle:fence``,
``P:cycle:open``, ``P:cycle:<id>``, ``P:cycle:<id>:wait``, ``P:cycle:<id>:refs``, ``P:cycle:next``; and here
``P:cycle:slot:<n>`` and ``P:cycle:<id>:after`` (STRING, expire), ``P:cycle:stats`` (HASH counter -> number)
and ``P:cycle:consumed`` (HASH kind of worker -> when one last took up a task, ISO-8601 UTC).

The lock belongs to the cycle, not to a process: whoever works for the cycle renews it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from recon.errors import BrokerError, CycleLockedError, LedgerLostError
from recon.model import Stage

if TYPE_CHECKING:  # ports describe Arrow batches; who only watches a cycle does without Arrow
    from recon.ports import Broker

#: Seconds the lock outlives the last sign of its cycle.
DEFAULT_LOCK_TTL_S = 120.0
#: Seconds an unfinished cycle's keys are kept after its last sign of life; longer than the longest cycle.
DEFAULT_KEEP_S = 86_400.0
#: Seconds a finished cycle's keys are kept, for late readers and redelivered messages.
DEFAULT_KEEP_FINISHED_S = 3_600.0
#: Seconds after which whoever followed a finished cycle is taken for dead.
FOLLOWED_MAX_S = 120.0

_log = logging.getLogger(__name__)


class RedisLedger:
    """A ``Ledger`` on Redis; every operation is one script or one command."""

    def __init__(
        self,
        broker: Broker,
        *,
        prefix: str = "recon",
        ttl_s: float = DEFAULT_LOCK_TTL_S,
        keep_s: float = DEFAULT_KEEP_S,
        keep_finished_s: float = DEFAULT_KEEP_FINISHED_S,
    ) -> None:
        self._broker = broker
        self._prefix = f"{prefix}:cycle"
        self._ttl_s = ttl_s
        self._keep_ms = round(keep_s * 1000)
        self._keep_finished_ms = round(keep_finished_s * 1000)

    def acquire(self, cycle_id: str, flags: str = "") -> int:
        """Take the cycle lock; return the fence, the same one each time for one cycle.

        Args:
            cycle_id: The cycle.
            flags: How it is run, kept for whoever must begin it again; with them, the watchdog knows it.

        Raises:
            CycleLockedError: another cycle holds the lock.
            CycleFencedError: a newer cycle has begun since, or this cycle has finished.
        """
        taken, *rest = self._run("acquire", cycle_id, flags)
        if taken:
            return int(rest[0])
        holder, left_ms = rest
        raise CycleLockedError(
            f"cycle {holder.decode('utf-8', 'replace')} holds the lock of {self._prefix}; it expires in "
            f"{max(0, left_ms) / 1000:.0f} s unless renewed. Wait for that cycle to end, then run again.",
        )

    @contextmanager
    def hold(self, cycle_id: str, holder: str = "", lease_s: float = DEFAULT_LOCK_TTL_S) -> Iterator[None]:
        """Renew the lock in the background, each third of its time to live, while the block runs.

        With the ``holder`` of the final step, its lease is renewed too. A lock that was lost to another cycle
        is not fought for: the fence refuses this cycle's writes.
        """
        ended = Event()
        keeper = Thread(
            target=copy_context().run,
            args=(self._keep, cycle_id, ended, holder, lease_s),
            name=f"lock of {cycle_id}",
            daemon=True,
        )
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def release(self, cycle_id: str) -> None:
        """Give the lock back if this cycle still holds it."""
        self._run("release", cycle_id)

    def open(self, cycle_id: str, shard_ids: Sequence[str], now: datetime) -> None:
        """Register the shards that must report; repeating it changes nothing, new ids are added."""
        self._run("open", cycle_id, now.astimezone(UTC).isoformat(), *shard_ids)

    def dispatched(self, cycle_id: str, shard_ids: Sequence[str]) -> None:
        """Remember that these shards were sent out (again) just now."""
        self._run("dispatched", cycle_id, *shard_ids)

    def overdue(self, cycle_id: str, deadline_s: float) -> list[str]:
        """Return the shards that have not reported and were last sent out longer than ``deadline_s`` ago."""
        return _words(self._run("overdue", cycle_id, round(deadline_s * 1000)))

    def forsaken(self, cycle_id: str, deadline_s: float) -> list[str]:
        """Return the shards that are overdue though they were sent out again, where nobody is at work.

        None has reported since they were sent again, and the cycle's lock has expired.
        """
        return _words(self._run("forsaken", cycle_id, round(deadline_s * 1000)))

    def done(self, cycle_id: str, shard_id: str, ref: str) -> int:
        """Record a shard's result (the first writer wins) and renew the lock; return how many remain.

        A shard that was never opened, and anything after the cycle has finished, is not recorded.
        """
        remain = int(self._run("done", cycle_id, shard_id, ref))
        if remain < 0:
            raise LedgerLostError(
                f"the ledger of cycle {cycle_id} is gone: it has expired, or Redis lost its data. "
                "Nothing was recorded; the next cycle looks again at everything.",
            )
        return remain

    def remaining(self, cycle_id: str) -> list[str]:
        """Return the shards that have not reported, sorted."""
        return sorted(_words(self._broker.command("ZRANGE", f"{self._prefix}:{cycle_id}:wait", 0, -1)))

    def refs(self, cycle_id: str) -> dict[str, str]:
        """Return shard id -> ref of every shard that has reported."""
        pairs: Mapping[bytes, bytes] = self._broker.command("HGETALL", f"{self._prefix}:{cycle_id}:refs")
        return {shard.decode(): ref.decode() for shard, ref in sorted(pairs.items())}

    def finish(self, cycle_id: str, holder: str, lease_s: float) -> bool:
        """Take the final step with a lease; False while another holder's lease runs, or when it is done.

        ``holder`` names one attempt: the same name gets the lease again.
        """
        return bool(self._run("finish", cycle_id, holder, round(lease_s * 1000)))

    def finished(self, cycle_id: str) -> None:
        """Mark the cycle as finished for good and give its lock back; its keys expire soon after."""
        self._run("finished", cycle_id, self._keep_finished_ms)

    def current(self) -> str | None:
        """Return the id of the cycle that holds the lock, if any."""
        holder: bytes | None = self._broker.command("GET", f"{self._prefix}:lock")
        return None if holder is None else holder.decode()

    def open_cycles(self) -> list[str]:
        """Return the cycles begun with flags, or opened, that have not finished; the longest silent first."""
        return _words(self._run("unfinished", ""))

    def stage(self, cycle_id: str) -> Stage:
        """Return how far a cycle is, as the watchdog needs to know it."""
        return Stage(self._run("stage", cycle_id).decode())

    def awaits(self, cycle_id: str, shard_id: str) -> bool:
        """Tell whether a shard's result is still wanted: it has not reported, and its cycle goes on."""
        return bool(self._run("awaits", cycle_id, shard_id))

    def flags(self, cycle_id: str) -> str | None:
        """Return the flags that a cycle was begun, or is to begin, with."""
        found: bytes | None = self._broker.command("HGET", f"{self._prefix}:{cycle_id}", "flags")
        return None if found is None else found.decode()

    def schedule(self, cycle_id: str, flags: str, delay_s: float) -> bool:
        """Note that a cycle is to begin in ``delay_s``; False when it was noted before, or has begun.

        Any cycle that takes the lock before then makes it unneeded: it is forgotten.
        """
        return bool(self._run("schedule", cycle_id, round(delay_s * 1000), flags))

    def due(self, again_s: float) -> list[str]:
        """Return the noted cycles whose time has come; named again after ``again_s`` until one has begun."""
        return _words(self._run("due", "", round(again_s * 1000)))

    @contextmanager
    def following(self, cycle_id: str) -> Iterator[None]:
        """Note, while the block runs, that something still follows a cycle that has finished.

        A Redis that is away only means that nobody waits for it.
        """
        key = f"{self._prefix}:{cycle_id}:after"
        with suppress(BrokerError):
            self._broker.command("SET", key, "1", "PX", round(FOLLOWED_MAX_S * 1000))
        try:
            yield
        finally:
            with suppress(BrokerError):
                self._broker.command("DEL", key)

    def is_followed(self, cycle_id: str) -> bool:
        """Tell whether something still follows a finished cycle."""
        return bool(self._broker.command("EXISTS", f"{self._prefix}:{cycle_id}:after"))

    def take_slot(self, every_s: float) -> bool:
        """Take the interval of ``every_s`` that is now; True for one caller only: two beats yield one cycle.

        Now is Redis' own time: hosts whose clocks differ take the same one, and a wrong clock takes none of
        the intervals to come.
        """
        seconds, microseconds = map(int, self._broker.command("TIME"))
        slot = int((seconds + microseconds / 1e6) // every_s)
        key, mine = f"{self._prefix}:slot:{slot}", secrets.token_hex(8)
        if self._broker.command("SET", key, mine, "NX", "PX", self._keep_ms) is not None:
            return True
        held: bytes | None = self._broker.command("GET", key)  # the client may have repeated a SET that won
        return held == mine.encode()

    def record_overlap(self) -> None:
        """Count a firing that was skipped because a cycle was still running."""
        self._broker.command("HINCRBY", f"{self._prefix}:stats", "skipped_overlap", 1)

    def stats(self) -> dict[str, int]:
        """Return the counters: ``skipped_overlap``."""
        skipped = self._broker.command("HGET", f"{self._prefix}:stats", "skipped_overlap")
        return {"skipped_overlap": int(skipped or 0)}

    def note_consumed(self, worker: str, now: datetime) -> None:
        """Note that a worker of this kind (``control``, ``scan``) took up a task."""
        self._broker.command("HSET", f"{self._prefix}:consumed", worker, now.astimezone(UTC).isoformat())

    def consumed(self) -> dict[str, datetime]:
        """Return when each kind of worker last took up a task."""
        found: Mapping[bytes, bytes] = self._broker.command("HGETALL", f"{self._prefix}:consumed")
        return {kind.decode(): datetime.fromisoformat(at.decode()) for kind, at in sorted(found.items())}

    def _run(self, step: str, cycle_id: str, *args: str | int) -> Any:
        cycle = f"{self._prefix}:{cycle_id}"
        keys = [
            *(f"{self._prefix}:{name}" for name in ("lock", "fence", "open")),
            *(cycle, f"{cycle}:wait", f"{cycle}:refs"),
            f"{self._prefix}:next",
        ]
        return self._broker.run(
            f"ledger_{step}",
            keys,
            [cycle_id, round(self._ttl_s * 1000), self._keep_ms, *args],
        )

    def _keep(self, cycle_id: str, ended: Event, holder: str, lease_s: float) -> None:
        while not ended.wait(min(self._ttl_s, lease_s) / 3):
            try:
                held = self._run("renew", cycle_id, holder, round(lease_s * 1000))
            except BrokerError as error:
                _log.warning("the lock of cycle %s was not renewed: %s", cycle_id, error)
                continue
            if not held:
                _log.warning("cycle %s no longer holds the lock; its writes will be refused", cycle_id)
                return


def _words(reply: Sequence[bytes]) -> list[str]:
    return [word.decode() for word in reply]
