"""After a fault of servers or consumers, a tick and a publication of what is wanted put the queues right."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from queue_machine import LAKE, LISTS, SEEN, Books, read_books
from redis_servers import SERVERS, RedisServer, binary_of, running

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases, RedisTaskQueue
from recon.errors import BrokerError, CycleFencedError, QueuesTakenError
from recon.model import Lease, Priority, ScrapeTask, Settlement
from recon.ports import TaskResult

WIDE = dict.fromkeys(Priority, 10_000)
VISIBILITY_S = 1000.0


def task(number: int, level: int | None = None) -> ScrapeTask:
    ident = f"{number:032x}"
    level = number % 4 if level is None else level
    body = b'{"id":"%s","v":1,"source":"nba_api","scraper":"nba","keys":["%d.json"]}' % (
        ident.encode(),
        number,
    )
    return ScrapeTask(ident, Priority(level), "nba_api", body)


class Place:
    """One server with its queue, and what is wanted there."""

    def __init__(self, server: RedisServer, wanted: int = 60) -> None:
        self.server = server
        self.wanted = {task(number).id: task(number) for number in range(wanted)}
        self.connect()

    def connect(self) -> None:
        self.client = self.server.client
        self.broker = RedisBroker.connect(self.server.url)
        self.queue = RedisTaskQueue(self.broker, lake=LAKE, caps=WIDE, max_per_run=100_000)
        self.leases = RedisLeases(self.broker)

    def restart(self) -> None:
        self.broker.close()
        self.server.kill()
        self.server.start()
        self.connect()

    def publish(self) -> None:
        self.queue.publish(list(self.wanted.values()), fence=1, observed_at=SEEN)

    def let_pass(self, by_s: float) -> None:
        for name in ("lease", "cool", "acked"):
            for member in self.client.zrange(f"recon:q:{name}", 0, -1):
                self.client.zincrby(f"recon:q:{name}", -by_s * 1000, member)

    def busy(self) -> list[Lease]:
        """Publish, and bring tasks into every state; return leases that are still held."""
        self.publish()
        held = self.leases.lease(20, visibility_s=VISIBILITY_S)
        for one, status in zip(held, [*Settlement, *Settlement], strict=False):
            self.leases.settle(one, status)
        self.leases.release(held[8:10])
        for name in LISTS:
            self.client.lpop(name)
        self.queue.tick()
        self.queue.withdraw([held[10].id], fence=1)
        del self.wanted[held[10].id]
        return held[11:]

    def heal(self) -> None:
        """Do what two cycles do: time's work, and a publication of what is wanted."""
        for _ in range(2):
            self.queue.tick()
            self.publish()
        self.queue.tick()

    def books(self) -> Books:
        return read_books(self.client)

    def is_whole(self) -> None:
        """Every wanted task stands in the books once, in one state, with its own body."""
        books = self.books()
        queued = Counter(
            body[7:39].decode("latin-1")
            for found in books.lists
            for body in found
            if re.match(rb'{"id":"[0-9a-f]{32}"', body)
        )
        assert not books.damaged
        assert max(queued.values(), default=1) == 1
        for ident, record in books.records.items():
            assert queued[ident] == (record.state == "R")
            assert (ident in books.leased, ident in books.cooling) == (
                record.state in "LM",
                record.state == "C",
            )
            if ident in self.wanted:
                assert record.body == self.wanted[ident].body
                assert record.state != "R" or record.body in books.lists[record.level]
        counts = Counter(record.level for record in books.records.values() if record.state != "A")
        assert books.open == [counts[level] for level in range(4)]
        assert books.bodies.keys() == books.records.keys()
        missing = self.wanted.keys() - books.records.keys() - books.dead.keys()
        assert not missing, f"neither outstanding nor dead: {missing}"

    def gives_out_everything(self) -> None:
        """Every wanted task is leased in the end, with its own body, unless it is dead."""
        waiting = dict(self.wanted)
        for _ in range(6 + len(waiting) // 100):  # a tick ends 100 leases at most
            if not waiting:
                break
            self.queue.tick()
            held = self.queue.outstanding(LAKE)
            claimed = [
                ScrapeTask(one.id, one.priority, one.source, one.body)
                for one in held
                if one.state.value == "claimed"
            ]
            self.queue.close([one.id for one in claimed if one.id not in waiting])
            self.queue.reopen(claimed)
            self.let_pass(4000)
            while got := self.leases.lease(50, visibility_s=VISIBILITY_S):
                for one in got:
                    wanted = waiting.pop(one.id, None)
                    assert wanted is None or wanted.body == one.body
                self.leases.settle_done(got)
        assert not waiting.keys() - self.books().dead.keys(), "lost"


@pytest.fixture
def place(redis_server):
    made = Place(redis_server)
    yield made
    made.broker.close()


# ---- the server dies


@pytest.mark.parametrize("fsync", ["always", "everysec"])
@pytest.mark.parametrize("name", list(SERVERS))
def test_a_server_killed_while_tasks_are_published_heals_and_keeps_what_it_synced(name, fsync):
    with running(binary_of(name), "--appendfsync", fsync) as server:
        place = Place(server, 4000)
        confirmed: set[str] = set()
        begun = Event()

        def publish() -> None:
            with suppress(BrokerError):
                for number in range(0, 4000, 50):
                    batch = [task(one) for one in range(number, number + 50)]
                    confirmed.update(place.queue.publish(batch, fence=1, observed_at=SEEN))
                    begun.set()

        publisher = Thread(target=publish)
        publisher.start()
        assert begun.wait(10)
        server.kill()
        publisher.join()
        assert 0 < len(confirmed) < 4000
        place.restart()
        # With everysec a server may hold writes back while its disk is busy: they are derived again.
        assert fsync == "everysec" or confirmed <= place.books().records.keys()
        place.heal()
        place.is_whole()
        place.broker.close()


@pytest.mark.parametrize("fsync", ["always", "everysec"])
@pytest.mark.parametrize("name", list(SERVERS))
def test_a_server_killed_while_tasks_are_consumed_loses_none_and_gives_twice_only_what_it_never_synced(
    name, fsync
):
    with running(binary_of(name), "--appendfsync", fsync) as server:
        place = Place(server, 1500)
        place.publish()
        given: list[tuple[str, int]] = []
        for life in range(3):
            begun, enough = Event(), len(given) + 40

            def consume(place=place, begun=begun, enough=enough, life=life) -> None:
                with suppress(BrokerError):
                    while len(got := place.leases.lease(10, visibility_s=VISIBILITY_S)) == 10:
                        given.extend((one.id, life) for one in got)
                        place.leases.settle_done(got[:8])
                        place.leases.settle(got[8], Settlement.FAILED)
                        if len(given) >= enough:
                            begun.set()

            consumers = [Thread(target=consume) for _ in range(2)]
            for one in consumers:
                one.start()
            assert begun.wait(10)
            server.kill()
            for one in consumers:
                one.join()
            place.restart()
            place.queue.tick()
        assert max(Counter(given).values()) == 1
        # While an fsync runs, everysec holds writes back for up to 2 s: a kill then forgets leases it gave.
        assert fsync == "everysec" or max(Counter(ident for ident, _ in given).values()) == 1
        place.heal()
        place.is_whole()
        place.gives_out_everything()
        place.broker.close()


def files_of(server: RedisServer) -> tuple[Path, bytes]:
    """Return the append-only file that grows, and what it holds."""
    found = [*server.folder.glob("appendonlydir/*.incr.aof"), *server.folder.glob("appendonly.aof")]
    return found[0], found[0].read_bytes()


def spoilt(name: str, spoil) -> int:
    """Spoil a busy queue's file again and again; return how often the server started without a repair."""
    with running(binary_of(name)) as server:
        place = Place(server)
        place.busy()
        wanted = dict(place.wanted)
        place.broker.close()
        server.kill()
        path, whole = files_of(server)
        pristine = server.folder / "pristine"
        shutil.copytree(server.folder, pristine, ignore=shutil.ignore_patterns("pristine", "*.sock", "*.log"))
        started = 0
        for changed in spoil(whole):
            path.write_bytes(changed)
            try:
                server.start()
                started += 1
            except AssertionError:
                repair(server, path)
                server.start()
            place = Place(server)
            place.wanted = dict(wanted)
            try:
                place.heal()
            except (QueuesTakenError, CycleFencedError):  # it says so, and what to do
                place.client.delete("recon:q:lake", "recon:cycle:fence")
                place.heal()
            place.is_whole()
            place.gives_out_everything()
            place.broker.close()
            server.kill()
            shutil.copytree(pristine, server.folder, dirs_exist_ok=True)
        return started


def repair(server: RedisServer, path: Path) -> None:
    """Cut the file where it is unreadable: redis-check-aof is the server's binary under another name."""
    tool = server.folder / ("valkey-check-aof" if "valkey" in server.binary else "redis-check-aof")
    if not tool.exists():
        tool.symlink_to(server.binary)
    subprocess.run([tool, "--fix", path], input=b"y\n", check=True, capture_output=True)


@pytest.mark.parametrize("name", list(SERVERS))
def test_an_append_only_file_that_ends_too_early_heals(name):
    def cut(whole: bytes):
        return [whole[: len(whole) * part // 100] for part in (3, 20, 45, 70, 90, 97)] + [whole[:-1]]

    assert spoilt(name, cut) >= 6


@pytest.mark.parametrize("name", list(SERVERS))
def test_an_append_only_file_with_a_flipped_byte_heals(name):
    def flip(whole: bytes):
        random = Random(4)
        for _ in range(12):
            changed = bytearray(whole)
            changed[random.randrange(200, len(whole))] ^= 1 << random.randrange(7)
            yield bytes(changed)

    assert spoilt(name, flip) >= 1


def test_what_was_flushed_is_derived_again(place):
    held = place.busy()
    place.client.flushall()
    assert place.leases.heartbeat(held, visibility_s=VISIBILITY_S) == {one.id: "lost" for one in held}
    assert place.leases.settle(held[0], Settlement.DONE) == "unknown"
    place.heal()
    place.is_whole()
    assert len(place.books().records) == len(place.wanted)
    assert place.leases.settle(held[0], Settlement.FAILED) == "late"
    place.gives_out_everything()


def test_a_counter_that_a_flipped_bit_made_unreadable_stops_nothing(place):
    place.busy()
    place.queue.limit("nba_api", in_flight=50)
    for level in range(4):
        place.client.hset("recon:q:stats", f"open:{level}", "x")
    place.client.hset("recon:q:stats", mapping={"published": "", "done": "9x", "leased": "\x00"})
    place.client.hset("recon:q:src", "f:nba_api", "!")
    place.let_pass(2000)
    (one,) = place.leases.lease(1, visibility_s=VISIBILITY_S)
    assert place.leases.settle(one, Settlement.DONE) == "settled"
    place.heal()
    place.is_whole()


# ---- the server is full, or forgets its scripts


def test_a_full_server_takes_no_publication_and_lets_everything_else_go_on(place):
    held = place.busy()
    place.publish()
    before = place.books()
    place.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerError, match="more memory"):
        place.queue.publish([task(number) for number in range(1000, 1100)], fence=1, observed_at=SEEN)
    after = place.books()
    assert (after.records, after.lists, after.bodies) == (before.records, before.lists, before.bodies)
    got = place.leases.lease(4, visibility_s=VISIBILITY_S)
    assert len(got) == 4
    assert place.leases.heartbeat(got, visibility_s=VISIBILITY_S) == {one.id: "extended" for one in got}
    assert place.leases.settle(got[0], Settlement.DONE) == "settled"
    assert place.leases.settle(got[1], Settlement.FAILED) == "settled"
    assert place.leases.release([got[2]]) == {got[2].id: "released"}
    assert place.queue.settle([TaskResult(got[2].id, Settlement.DONE)]) == ["late"]
    place.client.config_set("maxmemory", 0)
    place.let_pass(VISIBILITY_S + 1)
    place.client.config_set("maxmemory", 1)
    assert place.queue.tick().ended == len([*held, got[3]])
    assert place.queue.withdraw([got[1].id], fence=1) == {got[1].id: "withdrawn"}
    place.client.config_set("maxmemory", 0)
    place.heal()
    place.is_whole()
    place.gives_out_everything()


def test_a_server_that_forgets_its_scripts_before_each_operation_is_told_them_again(place):
    command = place.broker.run

    def forgetful(script, keys, args):
        place.client.script_flush()
        return command(script, keys, args)

    place.broker.run = forgetful
    place.busy()
    place.heal()
    place.is_whole()
    place.gives_out_everything()


# ---- a task that kills, and too many of them

_CRASH = """
import os, signal, sys
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases
assert len(RedisLeases(RedisBroker.connect(sys.argv[1])).lease(1, visibility_s=1000)) == 1
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_task_that_kills_its_scraper_is_dead_after_five_deliveries(redis_server):
    place = Place(redis_server, 1)
    place.publish()
    (ident,) = place.wanted
    for delivery in range(1, 6):
        ended = subprocess.run([sys.executable, "-c", _CRASH, redis_server.url], check=False)
        assert ended.returncode == -9
        assert place.books().records[ident].attempts == delivery
        assert place.leases.lease(1, visibility_s=VISIBILITY_S) == []
        place.let_pass(VISIBILITY_S + 1)
        place.queue.tick()
        place.let_pass(4000)
        place.queue.tick()
    assert [(one.id, one.reason) for one in place.queue.dead()] == [(ident, "its lease ended")]
    assert place.queue.publish([task(0)], fence=1, observed_at=SEEN) == {ident: "dead"}
    place.broker.close()


def test_a_flood_of_critical_tasks_leaves_memory_flat_and_low_ones_served(redis_server):
    place = Place(redis_server)
    queue = RedisTaskQueue(place.broker, lake=LAKE)
    flood = [task(number, 0) for number in range(20_000)]
    low = [task(number, 3) for number in range(30_000, 30_100)]

    def used() -> int:
        queue.publish([*flood, *low], fence=1, observed_at=SEEN)
        queue.tick()
        return redis_server.client.info("memory")["used_memory_dataset"]

    first = used()
    assert [len(found) for found in place.books().lists] == [100, 0, 0, 100]
    assert all(abs(used() - first) < 200_000 for _ in range(3))
    draw = Random(1).random
    leases = RedisLeases(place.broker, draw=draw)
    levels = Counter()
    for _ in range(90):
        (one,) = leases.lease(1, visibility_s=VISIBILITY_S, weighted=True)
        levels[one.priority] += 1
        leases.settle(one, Settlement.DONE)
    assert levels[Priority.LOW] >= 5
    assert levels[Priority.CRITICAL] > levels[Priority.LOW]
    strict = leases.lease(5, visibility_s=VISIBILITY_S)
    assert {one.priority for one in strict} == {Priority.CRITICAL}
    place.broker.close()
