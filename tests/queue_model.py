"""The scrapers' queues in plain Python: what every operation must answer, and what must stand in Redis then.

The model is exact for sound tasks. A task of which Redis lost something, or of which a consumer pushed more
than it had, is ``hurt``: nothing is foretold of it until a tick, or a publication after one, has mended it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from recon.model import Priority

READY, LEASED, MOOT, COOLING, CLAIMED = "RLMCA"
_OUT = (LEASED, MOOT)


@dataclass
class Record:
    """A task; ``at`` is when its lease or its cooling ends (ms), ``within`` what that is expected to be."""

    state: str
    level: int
    attempts: int
    token: str
    source: str
    body: bytes
    at: float | None = None
    within: tuple[float, float] | None = None


@dataclass
class QueueModel:
    """The books, as they must be; times are the server's, in milliseconds."""

    caps: Sequence[int]
    most_attempts: int
    first_wait: float
    longest_wait: float
    plain_visibility: float
    records: dict[str, Record] = field(default_factory=dict)
    lists: list[list[bytes]] = field(default_factory=lambda: [[], [], [], []])
    dead: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    claimed_at: dict[str, float] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    hurt: set[str] = field(default_factory=set)
    results: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)

    # ---- what is asked of the books

    def open(self) -> list[int]:
        """Return how many tasks count against each level's cap."""
        counts = [0, 0, 0, 0]
        for record in self.records.values():
            counts[record.level] += record.state != CLAIMED
        return counts

    def has_room(self, level: int) -> bool:
        return self.open()[level] < self.caps[level]

    def flying(self, source: str) -> int:
        return sum(one.state in _OUT and one.source == source for one in self.records.values())

    def in_list(self, ident: str) -> bool:
        record = self.records[ident]
        return record.body in self.lists[record.level]

    def wait(self, ident: str) -> tuple[float, float]:
        """Return the least and the most that a failed task cools, in ms."""
        attempts = self.records[ident].attempts
        most = min(self.first_wait * 2 ** max(attempts - 1, 0), self.longest_wait)
        return most // 2 - 1, most

    # ---- changes

    def hurts(self, ident: str) -> None:
        self.hurt.add(ident)
        self.records.pop(ident, None)
        self.dead.pop(ident, None)

    def unlist(self, ident: str) -> None:
        record = self.records[ident]
        found = self.lists[record.level]
        if record.body in found:
            del found[len(found) - 1 - found[::-1].index(record.body)]

    def bury(self, ident: str) -> str:
        record = self.records.pop(ident)
        self.dead[ident] = (record.level, record.source, record.body)
        return "dead"

    def become(self, ident: str, state: str, token: str = "", *, within: tuple[float, float] | None = None):
        record = self.records[ident]
        record.state, record.token, record.at, record.within = state, token, None, within

    def enter(self, ident: str, record: Record) -> None:
        self.records[ident] = record
        self.lists[record.level].append(record.body)

    def retry(self, ident: str, within: tuple[float, float]) -> str:
        if self.records[ident].attempts >= self.most_attempts:
            return self.bury(ident)
        self.become(ident, COOLING, within=within)
        return "cooling"

    def claim(self, ident: str, how: str, at: float) -> None:
        self.become(ident, CLAIMED, how)
        self.claimed_at[ident] = at

    # ---- the engine's operations

    def publish(  # noqa: PLR0911 - a return for each outcome
        self, ident: str, level: int, source: str, body: bytes, *, stale: bool, room: Callable[[int], bool]
    ) -> str:
        record = self.records.get(ident)
        suppressed = stale and ident in self.claimed_at
        if record is None:
            if ident in self.dead:
                return "dead"
            if suppressed:
                return "suppressed"
            if not room(level):
                return "deferred"
            self.enter(ident, Record(READY, level, 0, "", source, body))
            return "new"
        match record.state:
            case "A":
                if suppressed:
                    return "suppressed"
                if record.attempts >= self.most_attempts:
                    record.body = body
                    return self.bury(ident)
                if not room(level):
                    return "deferred"
                self.enter(ident, Record(READY, level, record.attempts, "", source, body))
                return "reopened"
            case "R":
                return self._publish_ready(ident, level, body, room)
            case _:
                return self._publish_out(record, level, body, room)

    def _publish_ready(self, ident: str, level: int, body: bytes, room: Callable[[int], bool]) -> str:
        record = self.records[ident]
        moves = level != record.level
        if (moves and not room(level)) or (not moves and body == record.body):
            return "duplicate"
        if not self.in_list(ident):
            if moves or body == record.body:
                return "duplicate"
            record.body = body
            return "repaired"
        if not moves:
            found = self.lists[level]
            found[found.index(record.body)] = body
            record.body = body
            return "repaired"
        self.unlist(ident)
        record.level, record.body = level, body
        self.lists[level].append(body)
        return "moved"

    def _publish_out(self, record: Record, level: int, body: bytes, room: Callable[[int], bool]) -> str:
        if record.state == MOOT:
            record.state = LEASED
        moves = level != record.level
        if moves and (record.state != COOLING or not room(level)):
            return "duplicate"
        outcome = "duplicate" if record.body == body else "repaired"
        record.body = body
        if moves:
            record.level = level
            return "moved"
        return outcome

    def revise(self, ident: str, body: bytes) -> str:
        record = self.records.get(ident)
        if record is None or record.state not in (READY, COOLING):
            return "gone"
        if record.state == READY:
            if not self.in_list(ident):
                return "gone"
            found = self.lists[record.level]
            found[found.index(record.body)] = body
        record.body = body
        return "revised"

    def withdraw(self, ident: str) -> str:
        record = self.records.get(ident)
        if record is None:
            return "unknown"
        self.claimed_at.pop(ident, None)
        if record.state in _OUT and record.token:
            record.state = MOOT
            return "moot"
        if record.state == READY:
            self.unlist(ident)
        del self.records[ident]
        return "withdrawn"

    def close(self, ident: str) -> str:
        record = self.records.get(ident)
        if record is None or record.state != CLAIMED:
            return "gone"
        del self.records[ident]
        return "closed"

    def reopen(self, ident: str, level: int, body: bytes) -> str:
        record = self.records.get(ident)
        if record is None or record.state != CLAIMED:
            return "gone"
        del self.claimed_at[ident]
        record.level, record.body = level, body
        if record.token == "expired" and record.attempts < self.most_attempts:
            self.enter(ident, Record(READY, level, record.attempts, "", record.source, body))
            return "reopened"
        return "dead" if self.retry(ident, self.wait(ident)) == "dead" else "reopened"

    def requeue(self, ident: str) -> str:
        record = self.records.get(ident)
        if record is not None:
            if record.state == READY:
                return "ready"
            if record.state in _OUT:
                return "leased"
            self.enter(ident, replace(record, state=READY, attempts=0, token="", at=None, within=None))
        elif ident in self.dead and self.dead[ident][2]:  # a fault took the bodies of others
            level, source, body = self.dead.pop(ident)
            self.enter(ident, Record(READY, level, 0, "", source, body))
        else:
            return "unknown"
        self.claimed_at.pop(ident, None)
        return "requeued"

    # ---- time

    def pass_by(self, milliseconds: float) -> None:
        for record in self.records.values():
            if record.at is not None:
                record.at -= milliseconds
        for ident in self.claimed_at:
            self.claimed_at[ident] -= milliseconds

    def promote(self, now: float) -> None:
        due = [
            (record.at, ident)
            for ident, record in self.records.items()
            if record.state == COOLING and record.at is not None and record.at <= now
        ]
        for _, ident in sorted(due):
            self.become(ident, READY)
            self.lists[self.records[ident].level].append(self.records[ident].body)

    def tick(self, now: float) -> tuple[int, int]:
        """Let time come to its end; return how many leases ended, and how many tasks were presumed done."""
        ended = presumed = 0
        due = [
            ident
            for ident, record in self.records.items()
            if record.state in _OUT and record.at is not None and record.at <= now
        ]
        for ident in due:
            record = self.records[ident]
            if record.state == MOOT:
                del self.records[ident]
            elif record.token == "":
                self.claim(ident, "expired", record.at or 0)
                self.unlist(ident)  # pushed back too late: it is looked at first
                presumed += 1
            else:
                self.retry(ident, self.wait(ident))
                ended += 1
        self.promote(now)
        for ident, record in self.records.items():
            if record.state == READY and not self.in_list(ident):
                record.attempts += 1
                self.become(ident, LEASED, within=(self.plain_visibility, self.plain_visibility))
            elif record.state == LEASED and record.token == "" and self.in_list(ident):
                record.attempts = max(record.attempts - 1, 0)
                self.become(ident, READY)
        return ended, presumed

    # ---- the consumers' operations

    def leasable(self, order: Sequence[Priority], scrapers: Sequence[str], scraper_of) -> list[str]:
        """Return the tasks that a lease gives out, as many as there are, in its order."""
        found: list[str] = []
        flying = Counter({source: self.flying(source) for source in self.limits})
        for level in order:
            for body in self.lists[level]:
                ident = next((one for one, record in self.records.items() if record.body == body), None)
                record = self.records.get(ident or "")
                if ident is None or record is None or record.state != READY or ident in found:
                    continue
                if scrapers and scraper_of(record.source) not in scrapers:
                    continue
                if record.source in self.limits and flying[record.source] >= self.limits[record.source]:
                    continue
                flying[record.source] += 1
                found.append(ident)
        return found

    def lease(self, ident: str, token: str, visibility: float) -> None:
        self.unlist(ident)
        self.records[ident].attempts += 1
        self.deliveries[ident] += 1
        self.become(ident, LEASED, token, within=(visibility, visibility))

    def heartbeat(self, ident: str, token: str, visibility: float) -> str:
        record = self.records.get(ident)
        if record is None or record.state not in _OUT or record.token != token:
            return "lost"
        record.at, record.within = None, (visibility, visibility)
        return "cancelled" if record.state == MOOT else "extended"

    def release(self, ident: str, token: str) -> str:
        record = self.records.get(ident)
        if record is None or record.state not in _OUT or record.token != token:
            return "lost"
        if record.state == MOOT:
            del self.records[ident]
            return "cancelled"
        record.attempts = max(record.attempts - 1, 0)
        self.become(ident, READY)
        self.lists[record.level].insert(0, record.body)
        return "released"

    def settle(self, ident: str, token: str, status: str, now: float) -> str:
        record = self.records.get(ident)
        if record is None:
            return "unknown"
        is_claim = status in ("done", "absent")
        if record.state == CLAIMED:
            return "repeated"
        if record.state in _OUT:
            if record.token != token and (record.token or not is_claim):
                return "taken"
            outcome = "settled"
        elif record.state == READY and not self.in_list(ident) and not token:
            record.attempts += 1
            outcome = "settled"
        elif is_claim:
            outcome = "late"
        else:
            return "late"
        if record.state == READY:
            self.unlist(ident)
        if record.state == MOOT:
            del self.records[ident]
        elif is_claim:
            self.claim(ident, status, now)
        elif status == "poison":
            self.bury(ident)
        else:
            self.retry(ident, self.wait(ident))
        return outcome


def stray_key(body: bytes) -> str:
    """Return under which name a body that is no task of ours stands among the dead."""
    return "stray:" + hashlib.sha1(body, usedforsecurity=False).hexdigest()


def without(bodies: Iterable[bytes], ids: set[str]) -> list[bytes]:
    """Return the bodies that are not these tasks'."""
    return [body for body in bodies if body[7:39].decode() not in ids]
