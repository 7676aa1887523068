"""A Hypothesis state machine over every operation of the queues: Redis beside `queue_model`, step by step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from queue_model import CLAIMED, COOLING, LEASED, MOOT, READY, QueueModel, Record, without

from recon.adapters.redis_queue import RedisLeases, RedisTaskQueue
from recon.model import Lease, Priority, ScrapeTask, Settlement
from recon.ports import Broker, TaskResult

LAKE = "s3://lake/root"
SOURCES = ("nba_api", "espn")
CAPS = (2, 2, 3, 2)
MOST_ATTEMPTS = 3
VISIBILITY_S, PLAIN_VISIBILITY_S = 1000.0, 900.0
#: After everything that is claimed in the tests, and before.
SEEN, SEEN_LONG_AGO = datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
LISTS = [f"recon:queue:{level.label}" for level in Priority]
_SETS = ("lease", "cool", "acked", "dead")
#: A mark that a server's clock comes as near as this could go either way: time passes a little further.
_NEAR_MS = 5_000

numbers = st.integers(0, 5)
levels = st.integers(0, 3)
picks = st.integers(0, 7)
some = st.sets(numbers, min_size=1, max_size=4).map(sorted)


def task(number: int, level: int, note: int = 0) -> ScrapeTask:
    ident, source = f"{number + 10:032x}", SOURCES[number % 2]
    body = {
        "id": ident,
        "v": 1,
        "source": source,
        "scraper": scraper_of(source),
        "level": level,
        "note": note,
    }
    return ScrapeTask(ident, Priority(level), source, json.dumps(body, separators=(",", ":")).encode())


def scraper_of(source: str) -> str:
    return f"{source}_scraper"


tasks = st.builds(task, numbers, levels, st.integers(0, 1))


@dataclass
class QueueParts:
    """One queue on one server, both sides of it, and a client beside for plain consumers and faults."""

    client: redis.Redis
    broker: Broker
    draws: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        caps = dict(zip(Priority, CAPS, strict=True))
        self.queue = RedisTaskQueue(
            self.broker,
            lake=LAKE,
            caps=caps,
            visibility_s=PLAIN_VISIBILITY_S,
            max_deliveries=MOST_ATTEMPTS,
        )
        self.leases = RedisLeases(
            self.broker, max_deliveries=MOST_ATTEMPTS, draw=lambda: self.draws.pop() if self.draws else 0.5
        )

    def now_ms(self) -> float:
        seconds, micros = self.client.time()
        return seconds * 1000 + micros / 1000

    def let_pass(self, by_ms: float) -> None:
        """Let time pass for the tasks: the server's clock cannot be moved, but its marks can."""
        for name in _SETS:
            for member in self.client.zrange(f"recon:q:{name}", 0, -1):
                self.client.zincrby(f"recon:q:{name}", -by_ms, member)


class QueueMachine(RuleBasedStateMachine):
    """Whatever engine, consumers, faults and time do: the books are the model's, and no task is lost."""

    def __init__(self, parts: QueueParts) -> None:
        super().__init__()
        self.parts, self.queue, self.leases, self.client = parts, parts.queue, parts.leases, parts.client
        self.held: list[Lease] = []
        self.popped: list[tuple[int, bytes]] = []
        self.wanted: dict[str, ScrapeTask] = {}
        self.bodiless: set[str] = set()
        self.model = self.blank()

    @staticmethod
    def blank() -> QueueModel:
        return QueueModel(CAPS, MOST_ATTEMPTS, 30_000, 3_600_000, PLAIN_VISIBILITY_S * 1000)

    @initialize()
    def begin(self) -> None:
        self.client.flushall()

    def sound(self, ident: str) -> bool:
        return ident not in self.model.hurt

    # ---- the engine

    @rule(wanted=st.lists(tasks, min_size=1, max_size=6), stale=st.booleans())
    def publish(self, wanted: list[ScrapeTask], stale: bool) -> None:
        wanted = list({one.id: one for one in wanted}.values())
        self.wanted |= {one.id: one for one in wanted}
        # What becomes of hurt tasks, and which room they take, is not foretold: one by one, by the books.
        for batch in [[one] for one in wanted] if self.model.hurt else [wanted]:
            rooms = [self.room_in_books(level) for level in range(4)]
            room = rooms.__getitem__ if self.model.hurt else self.model.has_room
            before = self.model.open()
            told = self.queue.publish(batch, fence=1, observed_at=SEEN_LONG_AGO if stale else SEEN)
            for one in batch:
                if self.sound(one.id):
                    level = int(one.priority)
                    said = self.model.publish(one.id, level, one.source, one.body, stale=stale, room=room)
                    assert told[one.id] == said, "publish"
            for level, count in enumerate(self.model.open()):
                assert count <= max(CAPS[level], before[level]), "a publication went over a cap"

    def room_in_books(self, level: int) -> bool:
        return int(self.client.hget("recon:q:stats", f"open:{level}") or 0) < CAPS[level]

    @rule(number=numbers, note=st.integers(0, 1))
    def revise(self, number: int, note: int) -> None:
        ident = task(number, 0).id
        record = self.model.records.get(ident)
        one = task(number, record.level if record else 0, note)
        told = self.queue.revise([one], fence=1)[one.id]
        if self.sound(ident):
            assert told == self.model.revise(ident, one.body), "revise"

    @rule(chosen=some)
    def withdraw(self, chosen: list[int]) -> None:
        ids = [task(number, 0).id for number in chosen]
        told = self.queue.withdraw(ids, fence=1)
        for ident in ids:
            self.wanted.pop(ident, None)
            if self.sound(ident):
                assert told[ident] == self.model.withdraw(ident), "withdraw"
            else:
                self.model.claimed_at.pop(ident, None)

    @rule(chosen=some)
    def close(self, chosen: list[int]) -> None:
        ids = [task(number, 0).id for number in chosen]
        told = self.queue.close(ids)
        for ident in filter(self.sound, ids):
            said = self.model.close(ident)
            assert told[ident] == said, "close"
            if said == "closed":
                self.wanted.pop(ident, None)

    @rule(one=tasks)
    def reopen(self, one: ScrapeTask) -> None:
        told = self.queue.reopen([one])[one.id]
        if self.sound(one.id):
            assert told == self.model.reopen(one.id, int(one.priority), one.body), "reopen"

    @rule(number=numbers)
    def requeue(self, number: int) -> None:
        ident = task(number, 0).id
        told = self.queue.requeue([ident])[ident]
        if self.sound(ident):
            assert told == self.model.requeue(ident), "requeue"

    @rule(source=st.sampled_from(SOURCES), most=st.integers(0, 2))
    def limit(self, source: str, most: int) -> None:
        self.queue.limit(source, in_flight=most)
        self.model.limits.pop(source, None)
        if most:
            self.model.limits[source] = most

    @rule(most=st.integers(1, 3))
    def collect(self, most: int) -> None:
        found = self.queue.results(most)
        self.queue.collect(found)
        self.model.results -= len(found)

    # ---- time

    @rule()
    def tick(self) -> None:
        counts = self.queue.tick()
        ended, presumed = self.model.tick(self.parts.now_ms())
        if not self.model.hurt:
            assert (counts.ended + counts.died, counts.presumed, counts.mended) == (ended, presumed, 0), (
                "tick"
            )
        self.heal()

    @rule(seconds=st.sampled_from([40, 1000, 4000]))
    def let_pass(self, seconds: int) -> None:
        now = self.parts.now_ms()
        marks = [record.at for record in self.model.records.values() if record.at is not None]
        by = seconds * 1000
        while any(abs(mark - by - now) < _NEAR_MS for mark in marks):
            by += 2 * _NEAR_MS
        self.parts.let_pass(by)
        self.model.pass_by(by)

    # ---- careful consumers

    @rule(
        count=st.integers(1, 3),
        scrapers=st.sampled_from([(), (scraper_of(SOURCES[0]),), tuple(map(scraper_of, SOURCES)), ("none",)]),
        first=st.none() | levels,
    )
    def lease(self, count: int, scrapers: Sequence[str], first: int | None) -> None:
        order = list(Priority)
        if first is not None:
            order.insert(0, order.pop(first))
            self.parts.draws[:] = [0.999 if level == first else 1e-300 for level in (3, 2, 1, 0)]
        self.model.promote(self.parts.now_ms())
        leasable = self.model.leasable(order, scrapers, scraper_of)
        got = self.leases.lease(
            count, visibility_s=VISIBILITY_S, scrapers=scrapers, weighted=first is not None
        )
        assert len({one.id for one in got}) == len(got), "leased twice at once"
        sound = [one for one in got if self.sound(one.id)]
        if not self.model.hurt:
            assert [one.id for one in got] == leasable[:count], "lease"
        assert {one.id for one in sound} <= set(leasable), "leased out of turn"
        for one in sound:
            self.model.lease(one.id, one.token, VISIBILITY_S * 1000)
            record = self.model.records[one.id]
            told = (one.body, one.priority, one.attempts)
            assert told == (record.body, record.level, record.attempts), "lease"
        self.held = [*self.held, *got][-8:]

    def whose(self, lease: Lease, right: bool) -> Lease:
        return lease if right else Lease(lease.id, "0" * 16, lease.priority, lease.attempts, lease.body)

    @precondition(lambda self: self.held)
    @rule(pick=picks, right=st.booleans())
    def heartbeat(self, pick: int, right: bool) -> None:
        one = self.whose(self.held[pick % len(self.held)], right)
        told = self.leases.heartbeat([one], visibility_s=VISIBILITY_S)[one.id]
        if self.sound(one.id):
            assert told == self.model.heartbeat(one.id, one.token, VISIBILITY_S * 1000), "heartbeat"

    @precondition(lambda self: self.held)
    @rule(pick=picks, right=st.sampled_from([True, True, False]))
    def release(self, pick: int, right: bool) -> None:
        one = self.whose(self.held[pick % len(self.held)], right)
        told = self.leases.release([one])[one.id]
        if self.sound(one.id):
            assert told == self.model.release(one.id, one.token), "release"

    @precondition(lambda self: self.held)
    @rule(pick=picks, status=st.sampled_from(Settlement), right=st.sampled_from([True, True, True, False]))
    def settle(self, pick: int, status: Settlement, right: bool) -> None:
        one = self.whose(self.held[pick % len(self.held)], right)
        told = self.leases.settle(one, status, keys=[])
        self.model.results += told in {"settled", "late"}
        if self.sound(one.id):
            assert told == self.model.settle(one.id, one.token, status, self.parts.now_ms()), "settle"
        self.hear(one.id)

    # ---- plain consumers

    @rule(level=levels, mover=st.booleans())
    def pop(self, level: int, mover: bool) -> None:
        body = (
            self.client.lmove(LISTS[level], "recon:processing:w", "LEFT", "RIGHT")
            if mover
            else self.client.lpop(LISTS[level])
        )
        if body is None:
            return
        self.popped = [*self.popped, (level, body)][-4:]
        ident = body[7:39].decode()
        assert body == self.model.lists[level].pop(0), "pop"
        self.model.deliveries[ident] += 1

    @rule(number=numbers, status=st.sampled_from(Settlement))
    def settle_plain(self, number: int, status: Settlement) -> None:
        ident = task(number, 0).id
        (told,) = self.queue.settle([TaskResult(ident, status)])
        if self.sound(ident):
            assert told == self.model.settle(ident, "", status, self.parts.now_ms()), "settle plain"
        self.hear(ident)

    def hear(self, ident: str) -> None:
        """Note when a claim was made, as the server's clock says it."""
        at = self.client.zscore("recon:q:acked", ident)
        if at is not None:
            said = self.model.claimed_at.get(ident, at)
            assert abs(said - at) < _NEAR_MS or not self.sound(ident), "when it was claimed"
            self.model.claimed_at[ident] = at

    @precondition(lambda self: self.popped)
    @rule(pick=picks, elsewhere=st.none() | levels, and_tick=st.booleans())
    def push_back(self, pick: int, elsewhere: int | None, and_tick: bool) -> None:
        was = self.popped[pick % len(self.popped)]
        level = was[0] if elsewhere is None else elsewhere
        body, ident = was[1], was[1][7:39].decode()
        self.popped.remove(was)
        self.client.rpush(LISTS[level], body)
        self.model.lists[level].append(body)
        record = self.model.records.get(ident)
        alone = sum(found.count(body) for found in self.model.lists) == 1
        fits = record is not None and (record.body, record.level) == (body, level) and alone
        if record and fits and record.state == READY and not and_tick:
            return
        if not (record and fits and and_tick and record.state in (READY, LEASED) and not record.token):
            self.model.hurts(ident)
            return
        self.queue.tick()
        self.model.tick(self.parts.now_ms())
        self.heal()

    # ---- faults

    @rule(number=numbers, what=st.sampled_from(["meta", "body", "end", "list", "twice"]))
    def lose(self, number: int, what: str) -> None:
        ident = task(number, 0).id
        if what == "end":  # few have one: one that has, a cooling one first
            ends = [one for one, record in self.model.records.items() if record.at is not None]
            ends.sort(key=lambda one: (self.model.records[one].state != COOLING, one))
            ident = ends[0] if ends else ident
        record = self.model.records.get(ident)
        if record is None:
            return
        match what:
            case "meta" | "body":
                self.client.hdel(f"recon:q:{what}", ident)
                self.bodiless.discard(ident)
            case "end":
                self.client.zrem("recon:q:lease", ident)
                self.client.zrem("recon:q:cool", ident)
            case "list":
                self.model.deliveries[ident] += 1  # as far as anybody can tell, somebody popped it
                for level, name in enumerate(LISTS):
                    self.client.lrem(name, 0, record.body)
                    self.model.lists[level] = [
                        body for body in self.model.lists[level] if body != record.body
                    ]
            case _:
                self.client.rpush(LISTS[0], record.body)
                self.model.lists[0].append(record.body)
        self.model.hurts(ident)

    @rule(sure=st.integers(0, 3))
    def flush(self, sure: int) -> None:
        if sure == 0:
            self.client.flushall()
            limits = self.model.limits
            self.model = self.blank()
            for source, most in limits.items():
                self.limit(source, most)

    @rule()
    def forget_scripts(self) -> None:
        self.client.script_flush()

    # ---- what must stand in Redis

    def heal(self) -> None:
        """Believe the books of hurt tasks again, where a tick has left them whole."""
        books = self.books()
        self.same_lists(books)
        assert books.bodies.keys() <= books.records.keys() | books.damaged, "a body without a record"
        records = books.records.values()
        open_now = Counter(record.level for record in records if record.state != CLAIMED)
        assert books.open == [open_now[level] for level in range(4)], "a tick left the counters of caps wrong"
        out = Counter(record.source for record in records if record.state in (LEASED, MOOT))
        for source in self.model.limits:
            assert books.flying[source] == out[source], "a tick left the counters in flight wrong"
        bodiless = {ident for ident, record in books.records.items() if not record.body}
        assert not bodiless & self.bodiless, "a record without a body outlived two ticks"
        self.bodiless = bodiless
        for ident in sorted(self.model.hurt):
            record = books.records.get(ident)
            copies = [
                (level, body)
                for level in range(4)
                for body in books.lists[level]
                if body[7:39] == ident.encode()
            ]
            if record is None:
                assert ident not in books.damaged or copies or ident in books.bodies, "a record of nothing"
                if copies or ident in books.damaged or ident in books.bodies:
                    continue
            else:
                right = [(record.level, record.body)] if record.state == READY else []
                assert copies == right, "a tick left a task where it is not"
                ends = record.state in (LEASED, MOOT, COOLING)
                assert ends == (record.at is not None), "a tick left a task without an end"
                if not record.body:  # the next tick lets it go
                    continue
                self.model.records[ident] = record
                # What a fault took out of a list counts as given out.
                self.model.deliveries[ident] = max(self.model.deliveries[ident], record.attempts)
            self.model.hurt.discard(ident)
            if ident in books.dead:
                self.model.dead[ident] = books.dead[ident]
            self.model.claimed_at.pop(ident, None)
            if ident in books.claimed_at:
                self.model.claimed_at[ident] = books.claimed_at[ident]
        queued = [
            body[7:39] for found in books.lists for body in found if body[7:39].decode() in books.records
        ]
        assert len(queued) == len(set(queued)), "a tick left a task queued twice"

    def books(self) -> Books:
        return read_books(self.client)

    def same_lists(self, books: Books) -> None:
        for level in range(4):
            found = without(books.lists[level], self.model.hurt)
            assert found == without(self.model.lists[level], self.model.hurt), f"list {level}"
        self.model.lists = books.lists

    @invariant()
    def the_books_are_the_models(self) -> None:
        books, model, now = self.books(), self.model, self.parts.now_ms()
        self.same_lists(books)
        sound = {ident: record for ident, record in books.records.items() if self.sound(ident)}
        assert sound.keys() == model.records.keys(), "which tasks there are"
        for ident, record in sound.items():
            said = model.records[ident]
            if said.at is None and record.at is not None:
                assert said.within is not None, "a mark in time that nobody set"
                low, high = said.within
                assert low - _NEAR_MS < record.at - now <= high, "when it ends"
                said.at, said.within = record.at, None
            assert record == said, "a task's record"
            assert record.attempts <= model.deliveries[ident], "more attempts than deliveries"
        leased = {ident for ident, record in sound.items() if record.state in (LEASED, MOOT)}
        cooling = {ident for ident, record in sound.items() if record.state == COOLING}
        assert {ident for ident in books.leased if self.sound(ident)} == leased, "the leases"
        assert {ident for ident in books.cooling if self.sound(ident)} == cooling, "the cooling"
        assert {ident for ident in books.bodies if self.sound(ident)} == sound.keys(), "the bodies"
        dead = {ident: dead for ident, dead in books.dead.items() if self.sound(ident)}
        assert dead == model.dead, "the dead"
        claimed = {ident for ident in books.claimed_at if self.sound(ident)}
        assert claimed == {ident for ident in model.claimed_at if self.sound(ident)}, "the claims"
        assert books.results == model.results, "the results"
        if not model.hurt:
            assert books.open == model.open(), "the counters of caps"
            flying = {source: model.flying(source) for source in model.limits}
            assert {source: books.flying.get(source, 0) for source in model.limits} == flying, "in flight"

    def teardown(self) -> None:
        """Everything that is wanted is given out in the end, or is dead."""
        waiting = dict(self.wanted)
        for _ in range(8):
            self.queue.publish(list(waiting.values()), fence=1, observed_at=SEEN)
            self.queue.tick()
            self.parts.let_pass(4_000_000)
            self.queue.tick()
            claimed = [held for held in self.queue.outstanding(LAKE) if held.state.value == "claimed"]
            self.queue.close([held.id for held in claimed if held.id not in waiting])
            self.queue.reopen(
                [ScrapeTask(held.id, held.priority, held.source, held.body) for held in claimed]
            )
            self.parts.let_pass(4_000_000)
            while got := self.leases.lease(3, visibility_s=VISIBILITY_S):
                for one in got:
                    assert one.body[7:39].decode() == one.id
                    waiting.pop(one.id, None)
                    assert self.leases.settle(one, Settlement.DONE) == "settled"
            waiting = {ident: one for ident, one in waiting.items() if ident not in self.books().dead}
        assert not waiting, f"never given out again: {sorted(waiting)}"


def read_books(client: redis.Redis) -> Books:
    pipe = client.pipeline(transaction=False)  # a full server refuses transactions, of reads too
    for name in LISTS:
        pipe.lrange(name, 0, -1)
    for name in ("meta", "body", "stats", "src", "deadbody"):
        pipe.hgetall(f"recon:q:{name}")
    for name in _SETS:
        pipe.zrange(f"recon:q:{name}", 0, -1, withscores=True)
    pipe.llen("recon:results")
    return Books(pipe.execute())


class Books:
    """What stands in Redis, read at one instant."""

    def __init__(self, replies: list) -> None:
        self.lists: list[list[bytes]] = replies[:4]
        meta, body, stats, src, deadbody, lease, cool, acked, dead, self.results = replies[4:]
        self.bodies = {ident.decode(): text for ident, text in body.items()}
        self.leased = {ident.decode(): at for ident, at in lease}
        self.cooling = {ident.decode(): at for ident, at in cool}
        self.claimed_at = {ident.decode(): at for ident, at in acked}
        self.open = [int(stats.get(f"open:{level}".encode(), 0)) for level in range(4)]
        self.flying = {name[2:].decode(): int(count) for name, count in src.items() if name[:2] == b"f:"}
        self.dead: dict[str, tuple[int, str, bytes]] = {}
        for ident, _ in dead:
            if not ident.startswith(b"stray:"):
                _, head, text = deadbody.get(ident, b"\n-1,\n").split(b"\n", 2)
                level, source = head.decode().split(",", 1)
                self.dead[ident.decode()] = (int(level), source, text)
        self.damaged: set[str] = set()
        self.records: dict[str, Record] = {}
        for ident, text in meta.items():
            self._note(ident.decode(), text.decode())

    def _note(self, ident: str, text: str) -> None:
        if text[0] not in (READY, LEASED, MOOT, COOLING, CLAIMED):
            self.damaged.add(ident)
            return
        state, level, attempts, token, source = text.split(",", 4)
        at = {LEASED: self.leased, MOOT: self.leased, COOLING: self.cooling}.get(state, {}).get(ident)
        self.records[ident] = Record(
            state, int(level), int(attempts), token, source, self.bodies.get(ident, b""), at
        )
