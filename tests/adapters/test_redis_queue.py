"""The scrapers' queues keep their promises on every server, whatever scrapers, faults and repeats do."""

from __future__ import annotations

import json
import re
import time
from collections import Counter

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis.crc import key_slot
from redis_servers import SERVERS, binary_of, running

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import BATCH, DEFAULT_CAPS, RedisTaskQueue
from recon.errors import BrokerError, CycleFencedError
from recon.model import Priority, ScrapeTask

LAKE = "s3://lake/root"
LISTS = [f"recon:queue:{level.label}" for level in Priority]
#: What stays when no task is outstanding.
BARE = {b"recon:q:stats", b"recon:q:lake", b"recon:cycle:fence"}
WIDE = dict.fromkeys(Priority, 10_000)


def task(number: int, level: Priority = Priority.HIGH, note: str = "", source: str = "nba_api") -> ScrapeTask:
    ident = f"{number:032x}"
    body = {"id": ident, "v": 1, "priority": level.label, "lake": LAKE, "source": source, "note": note}
    return ScrapeTask(ident, level, source, json.dumps(body, separators=(",", ":")).encode())


@pytest.fixture
def queue(broker) -> RedisTaskQueue:
    return RedisTaskQueue(broker, lake=LAKE)


def listed(client: redis.Redis) -> list[list[bytes]]:
    return [client.lrange(name, 0, -1) for name in LISTS]


def contents(client: redis.Redis) -> dict[bytes, bytes]:
    return {key: client.dump(key) for key in client.scan_iter()}


def shift_gone(client: redis.Redis, by_s: float) -> None:
    """Let time pass for the popped tasks: the server's clock cannot be moved, but its marks can."""
    for member in client.zrange("recon:q:gone", 0, -1):
        client.zincrby("recon:q:gone", -by_s * 1000, member)


def pop(client: redis.Redis) -> str:
    popped = client.blpop(LISTS, 1)
    assert popped
    return json.loads(popped[1])["id"]


# ---- publishing


def test_a_plain_blpop_gets_the_bodies_byte_for_byte_most_urgent_first(queue, redis_server):
    tasks = [task(number, Priority(number % 4)) for number in range(8)]
    assert set(queue.publish(tasks, fence=1).values()) == {"new"}
    popped = [redis_server.client.blpop(LISTS, 2)[1] for _ in tasks]
    assert popped == [wanted.body for wanted in sorted(tasks, key=lambda wanted: wanted.priority)]


def test_publishing_twice_changes_nothing(queue, redis_server):
    tasks = [task(number) for number in range(5)]
    queue.publish(tasks, fence=1)
    before = listed(redis_server.client)
    assert set(queue.publish(tasks, fence=1).values()) == {"duplicate"}
    assert listed(redis_server.client) == before


def test_an_id_given_twice_in_one_publication_is_published_once(queue):
    assert queue.publish([task(1), task(1)], fence=1) == {task(1).id: "new"}
    assert queue.depths()[Priority.HIGH] == 1


@pytest.mark.parametrize("to", [Priority.CRITICAL, Priority.LOW])
def test_a_ready_task_moves_to_its_level_up_or_down(queue, redis_server, to):
    queue.publish([task(1), task(2)], fence=1)
    assert queue.publish([task(1, to)], fence=1) == {task(1).id: "moved"}
    assert listed(redis_server.client)[to] == [task(1, to).body]
    assert listed(redis_server.client)[Priority.HIGH] == [task(2).body]
    assert {held.id: held.priority for held in queue.outstanding(LAKE)}[task(1).id] is to


def test_a_popped_task_does_not_move(queue, redis_server):
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    assert queue.publish([task(1, Priority.CRITICAL)], fence=1) == {task(1).id: "duplicate"}
    assert queue.depths()[Priority.CRITICAL] == 0


def test_a_body_that_differs_is_repaired_in_its_place(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1)
    assert queue.publish([task(2, note="new")], fence=1) == {task(2).id: "repaired"}
    assert listed(redis_server.client)[1] == [task(1).body, task(2, note="new").body, task(3).body]


def test_a_popped_task_comes_back_with_its_repaired_body(broker, redis_server):
    queue = RedisTaskQueue(broker, lake=LAKE, visibility_s=0)
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    assert queue.publish([task(1, note="new")], fence=1) == {task(1).id: "repaired"}
    queue.notice_gone([task(1).id], fence=1)
    queue.republish([task(1).id], fence=1)
    assert listed(redis_server.client)[1] == [task(1, note="new").body]


@pytest.mark.parametrize("damage", ["list", "hash", "meta"])
def test_what_a_flipped_bit_altered_is_repaired_by_the_next_publication(queue, redis_server, damage):
    queue.publish([task(1), task(2)], fence=1)
    flipped = task(1).body.replace(b"nba_api", b"nba_apj")
    match damage:
        case "list":
            redis_server.client.lset(LISTS[1], 0, flipped)
        case "hash":
            redis_server.client.hset("recon:q:body", task(1).id, flipped)
        case _:
            redis_server.client.hset("recon:q:meta", task(1).id, "?broken")
    assert queue.publish([task(1), task(2)], fence=1) == {task(1).id: "repaired", task(2).id: "duplicate"}
    assert listed(redis_server.client)[1] == [task(1).body, task(2).body]
    assert redis_server.client.hget("recon:q:body", task(1).id) == task(1).body
    assert redis_server.client.hget("recon:q:meta", task(1).id) == b"R,1,0,,nba_api"


def test_caps_bound_what_is_outstanding_ready_and_popped_together(broker, redis_server):
    queue = RedisTaskQueue(broker, lake=LAKE, caps={**DEFAULT_CAPS, Priority.HIGH: 3})
    tasks = [task(number) for number in range(5)]
    outcomes = queue.publish(tasks, fence=1)
    assert [outcomes[wanted.id] for wanted in tasks] == ["new"] * 3 + ["deferred"] * 2
    pop(redis_server.client)
    assert queue.publish(tasks[3:], fence=1)[tasks[3].id] == "deferred"
    queue.withdraw([tasks[0].id], fence=1)
    assert queue.publish(tasks[3:], fence=1) == {tasks[3].id: "new", tasks[4].id: "deferred"}


def test_a_full_level_takes_no_moved_task(broker):
    queue = RedisTaskQueue(broker, lake=LAKE, caps={**DEFAULT_CAPS, Priority.CRITICAL: 1})
    queue.publish([task(1, Priority.CRITICAL), task(2)], fence=1)
    assert queue.publish([task(2, Priority.CRITICAL)], fence=1) == {task(2).id: "duplicate"}
    assert queue.depths()[Priority.CRITICAL] == queue.depths()[Priority.HIGH] == 1


def test_the_default_caps_are_the_documented_ones(queue):
    tasks = [task(number, Priority(number % 4)) for number in range(2000)]
    assert Counter(queue.publish(tasks, fence=1).values()) == {"new": 1000, "deferred": 1000}
    assert list(queue.depths().values()) == [100, 300, 400, 200]


def test_one_run_publishes_at_most_its_maximum_over_all_its_batches(broker):
    queue = RedisTaskQueue(broker, lake=LAKE, caps=WIDE, max_per_run=BATCH + 50)
    outcomes = queue.publish([task(number) for number in range(3 * BATCH)], fence=1)
    assert Counter(outcomes.values()) == {"new": BATCH + 50, "deferred": 2 * BATCH - 50}


def test_a_body_that_does_not_open_with_its_id_is_refused(queue):
    with pytest.raises(ValueError, match="must open with"):
        queue.publish([ScrapeTask(task(1).id, Priority.LOW, "s", b'{"v":1}')], fence=1)


def test_names_full_of_separators_pass_through(queue, redis_server):
    wanted = task(1, note='"id":"00" \r\n\x00 \u202e', source='a,b\n"c",é')
    queue.publish([wanted], fence=1)
    (held,) = queue.outstanding(LAKE)
    assert (held.source, held.body) == (wanted.source, wanted.body)


# ---- revising and withdrawing


def test_a_ready_task_is_revised_in_its_place(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1)
    revised = task(2, note="fewer keys")
    assert queue.revise([revised], fence=1) == {revised.id: "revised"}
    assert listed(redis_server.client)[1] == [task(1).body, revised.body, task(3).body]
    assert queue.outstanding(LAKE)[1].body == revised.body


def test_a_popped_or_unknown_task_is_gone_for_revision(queue, redis_server):
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    outcomes = queue.revise([task(1, note="x"), task(2)], fence=1)
    assert outcomes == {task(1).id: "gone", task(2).id: "gone"}
    assert listed(redis_server.client) == [[], [], [], []]
    assert queue.outstanding(LAKE)[0].body == task(1).body


def test_withdrawing_leaves_no_trace_of_ready_and_popped_tasks(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1)
    assert pop(redis_server.client) == task(1).id
    queue.notice_gone([task(1).id], fence=1)
    outcomes = queue.withdraw([task(1).id, task(2).id, task(3).id], fence=1)
    assert outcomes == {task(1).id: "withdrawn", task(2).id: "withdrawn", task(3).id: "unknown"}
    assert set(redis_server.client.keys()) == BARE


def test_a_withdrawn_task_can_be_published_again_even_when_a_consumer_pushed_it_back(queue, redis_server):
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    queue.withdraw([task(1).id], fence=1)
    redis_server.client.rpush(LISTS[3], task(1).body)
    assert queue.publish([task(1)], fence=1) == {task(1).id: "new"}
    assert listed(redis_server.client) == [[], [task(1).body], [], []]


# ---- popped tasks


def test_outstanding_tells_ready_from_popped_and_when_that_was_noticed(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1)
    pop(redis_server.client)
    queue.notice_gone([task(1).id, task(2).id, task(3).id], fence=1)
    first, second = queue.outstanding(LAKE)
    seconds, micros = redis_server.client.time()
    assert (first.ready, second.ready, second.gone_at) == (False, True, None)
    assert 0 <= seconds + micros / 1e6 - first.gone_at.timestamp() < 5


def test_the_first_notice_counts(queue, redis_server):
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    queue.notice_gone([task(1).id], fence=1)
    shift_gone(redis_server.client, 60)
    noticed = queue.outstanding(LAKE)[0].gone_at
    queue.notice_gone([task(1).id], fence=1)
    assert queue.outstanding(LAKE)[0].gone_at == noticed


def test_a_popped_task_comes_back_once_after_the_visibility(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1)
    ids = [task(1).id, task(2).id, task(3).id]
    pop(redis_server.client)
    assert queue.republish(ids, fence=1) == dict(zip(ids, ["waiting", "waiting", "unknown"], strict=True))
    queue.notice_gone(ids, fence=1)
    shift_gone(redis_server.client, 890)
    assert queue.republish(ids, fence=1)[ids[0]] == "waiting"
    shift_gone(redis_server.client, 11)
    assert queue.republish(ids, fence=1) == dict(zip(ids, ["published", "waiting", "unknown"], strict=True))
    assert queue.republish(ids, fence=1)[ids[0]] == "waiting"
    assert listed(redis_server.client)[1] == [task(2).body, task(1).body]
    assert [held.ready for held in queue.outstanding(LAKE)] == [True, True]
    assert redis_server.client.hget("recon:q:meta", ids[0]) == b"R,1,1,,nba_api"


def test_a_copy_that_a_consumer_pushed_back_is_ready_again_and_its_mark_is_cleared(queue, redis_server):
    queue.publish([task(1)], fence=1)
    pop(redis_server.client)
    queue.notice_gone([task(1).id], fence=1)
    redis_server.client.rpush(LISTS[1], task(1).body)
    assert queue.outstanding(LAKE)[0].ready
    queue.notice_gone([], fence=1)
    assert not redis_server.client.exists("recon:q:gone")


def test_a_second_copy_of_an_outstanding_task_is_taken_out(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1)
    redis_server.client.rpush(LISTS[0], task(2).body)
    redis_server.client.rpush(LISTS[1], task(1).body)
    queue.notice_gone([], fence=1)
    assert sorted(json.loads(body)["id"] for row in listed(redis_server.client) for body in row) == [
        task(1).id,
        task(2).id,
    ]


def test_records_of_which_redis_lost_half_are_dropped(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1)
    client = redis_server.client
    client.delete(LISTS[1])
    client.hdel("recon:q:body", task(1).id)
    client.hdel("recon:q:meta", task(2).id)
    client.hset("recon:q:body", task(3).id, "garbage")
    assert queue.outstanding(LAKE) == []
    queue.notice_gone([], fence=1)
    assert set(client.keys()) == BARE


# ---- others on the lists, other lakes, older cycles


FOREIGN = [
    b"not json",
    b'{"id":"%s"}' % (b"f" * 32),
    b'{"url":"x"}',
    b"",
    b"\xff\x00",
    b'{"id": "spaced"}',
    b"{" * 10_000,
]


def test_what_others_push_is_neither_touched_nor_counted(queue, redis_server):
    client = redis_server.client
    for name in LISTS:
        client.rpush(name, *FOREIGN)
    queue.publish([task(1), task(2)], fence=1)
    queue.publish([task(1, Priority.LOW)], fence=1)
    queue.revise([task(2, note="r")], fence=1)
    queue.notice_gone([task(1).id, "f" * 32], fence=1)
    assert queue.withdraw(["f" * 32], fence=1) == {"f" * 32: "unknown"}
    assert queue.republish(["f" * 32], fence=1) == {"f" * 32: "unknown"}
    assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id, task(2).id]
    queue.withdraw([task(1).id, task(2).id], fence=1)
    assert listed(client) == [FOREIGN] * 4


def test_a_second_lake_on_the_same_prefix_is_refused(queue, broker):
    queue.claim_lake()
    queue.claim_lake()
    queue.publish([task(1)], fence=1)
    other = RedisTaskQueue(broker, lake="s3://other")
    for attempt in (
        other.claim_lake,
        lambda: other.publish([task(2)], fence=1),
        lambda: other.withdraw([task(1).id], fence=1),
        lambda: other.notice_gone([task(1).id], fence=1),
    ):
        with pytest.raises(BrokerError, match=r"s3://lake/root.*queues.prefix"):
            attempt()
    assert other.outstanding("s3://other") == []
    assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id]


def test_the_owner_of_the_queues_can_be_asked_for(queue, broker):
    assert queue.owner() is None
    queue.claim_lake()
    assert RedisTaskQueue(broker, lake="s3://other").owner() == LAKE


def test_waiting_for_the_disk_changes_no_task(queue, redis_server):
    queue.publish([task(1)], fence=1)
    before = queue.outstanding(LAKE)
    assert queue.saved(0.05) in {True, False, None}
    assert queue.outstanding(LAKE) == before


def test_two_lakes_on_two_prefixes_do_not_meet(queue, broker):
    other = RedisTaskQueue(broker, lake="s3://other", prefix="two")
    queue.publish([task(1)], fence=1)
    other.publish([task(1), task(2)], fence=1)
    assert (len(queue.outstanding(LAKE)), len(other.outstanding("s3://other"))) == (1, 2)


def test_every_write_of_an_overtaken_cycle_is_refused(queue, redis_server):
    queue.publish([task(1)], fence=7)
    redis_server.client.set("recon:cycle:fence", 8)
    before = contents(redis_server.client)
    for attempt in (
        lambda: queue.publish([task(2)], fence=7),
        lambda: queue.revise([task(1, note="x")], fence=7),
        lambda: queue.withdraw([task(1).id], fence=7),
        lambda: queue.notice_gone([task(1).id], fence=7),
        lambda: queue.republish([task(1).id], fence=7),
    ):
        with pytest.raises(CycleFencedError, match="newer cycle"):
            attempt()
    assert contents(redis_server.client) == before
    assert queue.publish([task(2)], fence=8) == {task(2).id: "new"}


def test_a_cycle_that_wrote_shuts_older_ones_out_on_a_server_without_the_ledger(queue):
    queue.publish([task(1)], fence=8)
    with pytest.raises(CycleFencedError):
        queue.withdraw([task(1).id], fence=7)
    queue.withdraw([task(1).id], fence=9)
    with pytest.raises(CycleFencedError):
        queue.publish([task(1)], fence=8)


# ---- a failing server


def test_a_full_server_refuses_a_publication_whole_and_still_lets_tasks_go(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1)
    before = contents(redis_server.client)
    redis_server.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerError, match=r"more memory"):
        queue.publish([task(1, Priority.LOW), task(3)], fence=1)
    assert contents(redis_server.client) == before
    assert queue.withdraw([task(2).id], fence=2) == {task(2).id: "withdrawn"}


def test_a_full_server_takes_none_of_a_new_batch(queue, redis_server):
    queue.claim_lake()
    redis_server.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerError, match="more memory"):
        queue.publish([task(number) for number in range(5)], fence=1)
    assert set(redis_server.client.keys()) == {b"recon:q:lake"}


def test_a_key_that_another_program_uses_stops_a_publication_before_its_first_write(queue, redis_server):
    redis_server.client.set(LISTS[3], "mine")
    with pytest.raises(BrokerError, match=r"WRONGTYPE.*prefix"):
        queue.publish([task(1), task(2, Priority.LOW)], fence=1)
    assert redis_server.client.keys() == [LISTS[3].encode()]


def test_scripts_that_the_server_forgot_are_sent_again(queue, redis_server):
    queue.publish([task(1)], fence=1)
    redis_server.client.script_flush()
    assert queue.publish([task(1)], fence=1) == {task(1).id: "duplicate"}


def test_lost_data_is_published_anew(queue, redis_server):
    queue.publish([task(1)], fence=5)
    redis_server.client.flushall()
    assert queue.publish([task(1)], fence=6) == {task(1).id: "new"}


def test_a_replica_says_that_it_is_one(queue, redis_server):
    redis_server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(BrokerError, match=r"(?i)read.?only.*primary"):
            queue.publish([task(1)], fence=1)
        assert redis_server.client.dbsize() == 0
    finally:
        redis_server.client.execute_command("REPLICAOF", "NO", "ONE")


def test_too_many_clients_is_said_in_words(queue, redis_server):
    limit = redis_server.client.config_get("maxclients")["maxclients"]
    redis_server.client.config_set("maxclients", 1)
    try:
        # The server says why and closes at once: now and then the connection breaks before that is read.
        said = (refusal(queue) for _ in range(10))
        assert any(re.search(r"max number of clients reached.*maxclients", text) for text in said)
    finally:
        redis_server.client.config_set("maxclients", limit)


def refusal(queue) -> str:
    with pytest.raises(BrokerError) as refused:
        queue.publish([task(1)], fence=1)
    return str(refused.value)


@pytest.mark.parametrize("name", list(SERVERS))
def test_what_was_published_outlives_a_sigkill_of_the_server(name):
    with running(binary_of(name)) as server:
        broker = RedisBroker.connect(server.url)
        queue = RedisTaskQueue(broker, lake=LAKE)
        queue.publish([task(1), task(2, Priority.CRITICAL)], fence=1)
        server.kill()
        with pytest.raises(BrokerError, match="check that the server runs"):
            queue.depths()
        server.start()
        assert queue.publish([task(1)], fence=1) == {task(1).id: "duplicate"}
        assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id, task(2).id]
        broker.close()


@pytest.mark.parametrize("name", list(SERVERS))
def test_the_scripts_run_on_a_cluster_under_a_hash_tag(name):
    with running(binary_of(name), "--cluster-enabled", "yes", "--port", "0") as server:
        server.client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        broker = RedisBroker.connect(server.url)
        while b"cluster_state:ok" not in bytes(broker.command("CLUSTER", "INFO")):
            time.sleep(0.02)
        queue = RedisTaskQueue(broker, lake=LAKE, prefix="{recon}", visibility_s=0)
        assert len({key_slot(key.encode()) for key in queue._keys}) == 1
        assert queue.publish([task(1)], fence=1) == {task(1).id: "new"}
        server.client.lpop("{recon}:queue:high")
        queue.notice_gone([task(1).id], fence=1)
        assert queue.republish([task(1).id], fence=1) == {task(1).id: "published"}
        assert queue.withdraw([task(1).id], fence=1) == {task(1).id: "withdrawn"}
        with pytest.raises(BrokerError, match="hash tag"):
            RedisTaskQueue(broker, lake=LAKE).publish([task(1)], fence=1)
        broker.close()


# ---- any order of anything


class Queues(RuleBasedStateMachine):
    """Random cycles and consumers on one server, beside a plain-Python account of who has what."""

    client: redis.Redis
    caps = dict.fromkeys(Priority, 4)
    numbers = st.lists(st.integers(0, 11), min_size=1, max_size=6, unique=True)
    levels = st.sampled_from(list(Priority))

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.client.rpush(LISTS[2], *FOREIGN[:3])
        self.broker = RedisBroker(self.client)
        self.queue = RedisTaskQueue(self.broker, lake=LAKE, caps=self.caps, max_per_run=5, visibility_s=100)
        self.bodies: dict[str, bytes] = {}
        self.popped: set[str] = set()

    @rule(numbers=numbers, level=levels, note=st.sampled_from(["", "a"]))
    def publish(self, numbers, level, note):
        wanted = [task(number, level, note) for number in numbers]
        outcomes = self.queue.publish(wanted, fence=1)
        assert Counter(outcomes.values())["new"] <= 5
        for item in wanted:
            match outcomes[item.id]:
                case "new":
                    assert item.id not in self.bodies
                    self.bodies[item.id] = item.body
                case "moved":
                    assert item.id not in self.popped
                    self.bodies[item.id] = item.body
                case "repaired":
                    self.bodies[item.id] = item.body
                case "duplicate":
                    assert item.id in self.bodies
                case _:
                    assert item.id not in self.bodies

    @rule(number=st.integers(0, 11), level=levels)
    def revise(self, number, level):
        item = task(number, level, "revised")
        ready = item.id in self.bodies and item.id not in self.popped
        assert self.queue.revise([item], fence=1) == {item.id: "revised" if ready else "gone"}
        if ready:
            self.bodies[item.id] = item.body

    @rule(numbers=numbers)
    def withdraw(self, numbers):
        ids = [task(number).id for number in numbers]
        known = {ident: "withdrawn" if ident in self.bodies else "unknown" for ident in ids}
        assert self.queue.withdraw(ids, fence=1) == known
        for ident in ids:
            self.bodies.pop(ident, None)
            self.popped.discard(ident)

    @rule()
    def consume(self):
        popped = self.client.blpop(LISTS, 1) if any(self.queue.depths().values()) else None
        if popped and popped[1] not in FOREIGN:
            ident = json.loads(popped[1])["id"]
            assert popped[1] == self.bodies[ident]
            self.popped.add(ident)

    @rule(level=levels)
    def push_back(self, level):
        if self.popped:
            ident = min(self.popped)
            self.client.rpush(LISTS[level], self.bodies[ident])
            self.popped.discard(ident)

    @rule()
    def notice(self):
        self.queue.notice_gone([held.id for held in self.queue.outstanding(LAKE) if not held.ready], fence=1)
        assert {mark.decode() for mark in self.client.zrange("recon:q:gone", 0, -1)} == self.popped

    @rule(by_s=st.sampled_from([50, 101]))
    def time(self, by_s):
        shift_gone(self.client, by_s)

    @rule()
    def republish(self):
        due = {held.id for held in self.queue.outstanding(LAKE) if held.gone_at}
        outcomes = self.queue.republish(sorted(due), fence=1)
        for ident, outcome in outcomes.items():
            assert outcome in {"published", "waiting"}
            if outcome == "published":
                assert ident in self.popped
                self.popped.discard(ident)

    @invariant()
    def lists_books_and_account_agree(self):
        listed_ids = [
            json.loads(body)["id"] for row in listed(self.client) for body in row if body not in FOREIGN
        ]
        assert sorted(listed_ids) == sorted(self.bodies.keys() - self.popped)
        bodies = {body for row in listed(self.client) for body in row if body not in FOREIGN}
        assert bodies == {self.bodies[ident] for ident in listed_ids}
        stored = {key.decode(): body for key, body in self.client.hgetall("recon:q:body").items()}
        assert stored == self.bodies
        assert {key.decode() for key in self.client.hkeys("recon:q:meta")} == self.bodies.keys()
        assert {mark.decode() for mark in self.client.zrange("recon:q:gone", 0, -1)} <= self.bodies.keys()

    @invariant()
    def outstanding_tells_the_account(self):
        held = {item.id: (item.ready, item.body) for item in self.queue.outstanding(LAKE)}
        assert held == {ident: (ident not in self.popped, body) for ident, body in self.bodies.items()}

    @invariant()
    def caps_hold(self):
        levels = Counter(item.priority for item in self.queue.outstanding(LAKE))
        assert all(count <= 4 for count in levels.values())


def test_any_order_of_calls_consumers_and_time_keeps_lists_and_books_in_step(redis_server):
    machine = type("Machine", (Queues,), {"client": redis_server.client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
