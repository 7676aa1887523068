"""The scrapers' queues keep their promises on every server, whatever scrapers, faults and repeats do."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime

import pytest
import redis
from redis.crc import key_slot
from redis_servers import SERVERS, binary_of, cluster_options, running

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import BATCH, DEFAULT_CAPS, RedisTaskQueue
from recon.errors import BrokerError, CycleFencedError
from recon.model import Priority, ScrapeTask, Settlement, TaskState
from recon.ports import TaskResult

LAKE = "s3://lake/root"
#: After everything that consumers claim in these tests.
SEEN = datetime(2100, 1, 1, tzinfo=UTC)
LISTS = [f"recon:queue:{level.label}" for level in Priority]
#: What stays when no task is outstanding.
BARE = {b"recon:q:stats", b"recon:q:lake", b"recon:q:wake", b"recon:cycle:fence"}
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


def let_pass(client: redis.Redis, by_s: float) -> None:
    """Let time pass for the tasks: the server's clock cannot be moved, but its marks can."""
    for name in ("lease", "cool", "acked", "dead"):
        for member in client.zrange(f"recon:q:{name}", 0, -1):
            client.zincrby(f"recon:q:{name}", -by_s * 1000, member)


def pop(client: redis.Redis) -> str:
    popped = client.blpop(LISTS, 1)
    assert popped
    return json.loads(popped[1])["id"]


# ---- publishing


def test_a_plain_blpop_gets_the_bodies_byte_for_byte_most_urgent_first(queue, redis_server):
    tasks = [task(number, Priority(number % 4)) for number in range(8)]
    assert set(queue.publish(tasks, fence=1, observed_at=SEEN).values()) == {"new"}
    popped = [redis_server.client.blpop(LISTS, 2)[1] for _ in tasks]
    assert popped == [wanted.body for wanted in sorted(tasks, key=lambda wanted: wanted.priority)]


def test_publishing_twice_changes_nothing(queue, redis_server):
    tasks = [task(number) for number in range(5)]
    queue.publish(tasks, fence=1, observed_at=SEEN)
    before = listed(redis_server.client)
    assert set(queue.publish(tasks, fence=1, observed_at=SEEN).values()) == {"duplicate"}
    assert listed(redis_server.client) == before


def test_an_id_given_twice_in_one_publication_is_published_once(queue):
    assert queue.publish([task(1), task(1)], fence=1, observed_at=SEEN) == {task(1).id: "new"}
    assert queue.depths()[Priority.HIGH] == 1


@pytest.mark.parametrize("to", [Priority.CRITICAL, Priority.LOW])
def test_a_ready_task_moves_to_its_level_up_or_down(queue, redis_server, to):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    assert queue.publish([task(1, to)], fence=1, observed_at=SEEN) == {task(1).id: "moved"}
    assert listed(redis_server.client)[to] == [task(1, to).body]
    assert listed(redis_server.client)[Priority.HIGH] == [task(2).body]
    assert {held.id: held.priority for held in queue.outstanding(LAKE)}[task(1).id] is to


def test_a_popped_task_does_not_move(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    assert queue.publish([task(1, Priority.CRITICAL)], fence=1, observed_at=SEEN) == {task(1).id: "duplicate"}
    assert queue.depths()[Priority.CRITICAL] == 0


def test_a_body_that_differs_is_repaired_in_its_place(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1, observed_at=SEEN)
    assert queue.publish([task(2, note="new")], fence=1, observed_at=SEEN) == {task(2).id: "repaired"}
    assert listed(redis_server.client)[1] == [task(1).body, task(2, note="new").body, task(3).body]


def test_a_popped_task_comes_back_with_its_repaired_body(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    assert queue.publish([task(1, note="new")], fence=1, observed_at=SEEN) == {task(1).id: "repaired"}
    (held,) = queue.outstanding(LAKE)
    assert (held.body, held.is_ours) == (task(1, note="new").body, False)


@pytest.mark.parametrize("damage", ["list", "hash", "meta"])
def test_what_a_flipped_bit_altered_is_repaired_by_the_next_publication(queue, redis_server, damage):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    flipped = task(1).body.replace(b"nba_api", b"nba_apj")
    match damage:
        case "list":
            redis_server.client.lset(LISTS[1], 0, flipped)
        case "hash":
            redis_server.client.hset("recon:q:body", task(1).id, flipped)
        case _:
            redis_server.client.hset("recon:q:meta", task(1).id, "?broken")
    queue.tick()
    assert queue.publish([task(1), task(2)], fence=1, observed_at=SEEN) == {
        task(1).id: "repaired",
        task(2).id: "duplicate",
    }
    assert listed(redis_server.client)[1] == [task(1).body, task(2).body]
    assert redis_server.client.hget("recon:q:body", task(1).id) == task(1).body
    assert redis_server.client.hget("recon:q:meta", task(1).id) == b"R,1,0,,nba_api"


def test_caps_bound_what_is_outstanding_ready_and_popped_together(broker, redis_server):
    queue = RedisTaskQueue(broker, lake=LAKE, caps={**DEFAULT_CAPS, Priority.HIGH: 3})
    tasks = [task(number) for number in range(5)]
    outcomes = queue.publish(tasks, fence=1, observed_at=SEEN)
    assert [outcomes[wanted.id] for wanted in tasks] == ["new"] * 3 + ["deferred"] * 2
    pop(redis_server.client)
    assert queue.publish(tasks[3:], fence=1, observed_at=SEEN)[tasks[3].id] == "deferred"
    queue.withdraw([tasks[0].id], fence=1)
    assert queue.publish(tasks[3:], fence=1, observed_at=SEEN) == {
        tasks[3].id: "new",
        tasks[4].id: "deferred",
    }


def test_a_full_level_takes_no_moved_task(broker):
    queue = RedisTaskQueue(broker, lake=LAKE, caps={**DEFAULT_CAPS, Priority.CRITICAL: 1})
    queue.publish([task(1, Priority.CRITICAL), task(2)], fence=1, observed_at=SEEN)
    assert queue.publish([task(2, Priority.CRITICAL)], fence=1, observed_at=SEEN) == {task(2).id: "duplicate"}
    assert queue.depths()[Priority.CRITICAL] == queue.depths()[Priority.HIGH] == 1


def test_the_default_caps_are_the_documented_ones(queue):
    tasks = [task(number, Priority(number % 4)) for number in range(2000)]
    assert Counter(queue.publish(tasks, fence=1, observed_at=SEEN).values()) == {
        "new": 1000,
        "deferred": 1000,
    }
    assert list(queue.depths().values()) == [100, 300, 400, 200]


def test_one_run_publishes_at_most_its_maximum_over_all_its_batches(broker):
    queue = RedisTaskQueue(broker, lake=LAKE, caps=WIDE, max_per_run=BATCH + 50)
    outcomes = queue.publish([task(number) for number in range(3 * BATCH)], fence=1, observed_at=SEEN)
    assert Counter(outcomes.values()) == {"new": BATCH + 50, "deferred": 2 * BATCH - 50}


def test_a_body_that_does_not_open_with_its_id_is_refused(queue):
    with pytest.raises(ValueError, match="must open with"):
        queue.publish([ScrapeTask(task(1).id, Priority.LOW, "s", b'{"v":1}')], fence=1, observed_at=SEEN)


def test_names_full_of_separators_pass_through(queue, redis_server):
    wanted = task(1, note='"id":"00" \r\n\x00 \u202e', source='a,b\n"c",é')
    queue.publish([wanted], fence=1, observed_at=SEEN)
    (held,) = queue.outstanding(LAKE)
    assert (held.source, held.body) == (wanted.source, wanted.body)


# ---- revising and withdrawing


def test_a_ready_task_is_revised_in_its_place(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1, observed_at=SEEN)
    revised = task(2, note="fewer keys")
    assert queue.revise([revised], fence=1) == {revised.id: "revised"}
    assert listed(redis_server.client)[1] == [task(1).body, revised.body, task(3).body]
    assert queue.outstanding(LAKE)[1].body == revised.body


def test_a_popped_or_unknown_task_is_gone_for_revision(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    outcomes = queue.revise([task(1, note="x"), task(2)], fence=1)
    assert outcomes == {task(1).id: "gone", task(2).id: "gone"}
    assert listed(redis_server.client) == [[], [], [], []]
    assert queue.outstanding(LAKE)[0].body == task(1).body


def test_withdrawing_leaves_no_trace_of_ready_and_popped_tasks(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    assert pop(redis_server.client) == task(1).id
    queue.tick()
    outcomes = queue.withdraw([task(1).id, task(2).id, task(3).id], fence=1)
    assert outcomes == {task(1).id: "withdrawn", task(2).id: "withdrawn", task(3).id: "unknown"}
    assert set(redis_server.client.keys()) == BARE


def test_a_withdrawn_task_can_be_published_again_even_when_a_consumer_pushed_it_back(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    queue.withdraw([task(1).id], fence=1)
    redis_server.client.rpush(LISTS[3], task(1).body)
    assert queue.publish([task(1)], fence=1, observed_at=SEEN) == {task(1).id: "new"}
    queue.tick()
    assert listed(redis_server.client) == [[], [task(1).body], [], []]


# ---- popped tasks


def test_a_tick_adopts_what_a_plain_consumer_popped(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    assert [(held.state, held.in_list) for held in queue.outstanding(LAKE)] == [
        (TaskState.READY, False),
        (TaskState.READY, True),
    ]
    assert queue.tick().adopted == 1
    first, second = queue.outstanding(LAKE)
    assert (first.state, first.token, first.attempts) == (TaskState.LEASED, "", 1)
    assert second.state is TaskState.READY
    seconds, micros = redis_server.client.time()
    assert 895 < first.at.timestamp() - seconds - micros / 1e6 <= 900
    assert queue.tick().adopted == 0


def test_what_a_plain_consumer_had_for_the_visibility_counts_as_claimed_and_is_to_be_looked_at(
    queue, redis_server
):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    queue.tick()
    let_pass(redis_server.client, 890)
    assert queue.tick().presumed == 0
    let_pass(redis_server.client, 11)
    assert queue.tick().presumed == 1
    (held,) = queue.outstanding(LAKE)
    assert (held.state, held.token) == (TaskState.CLAIMED, "expired")
    assert listed(redis_server.client) == [[], [], [], []]


def test_a_task_that_a_silent_consumer_did_not_do_comes_back_at_once(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    queue.tick()
    let_pass(redis_server.client, 901)
    queue.tick()
    assert queue.reopen([task(1, note="fewer keys")], fence=1) == {task(1).id: "reopened"}
    assert listed(redis_server.client)[1] == [task(1, note="fewer keys").body]


def test_a_claim_that_is_not_borne_out_cools_and_comes_back_with_its_new_body(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    assert queue.settle([TaskResult(task(1).id, Settlement.DONE)]) == ["settled"]
    assert queue.reopen([task(1, note="fewer keys"), task(2)]) == {task(1).id: "reopened", task(2).id: "gone"}
    assert queue.outstanding(LAKE)[0].state is TaskState.COOLING
    let_pass(redis_server.client, 31)
    assert queue.tick().promoted == 1
    assert listed(redis_server.client)[1] == [task(1, note="fewer keys").body]


def test_a_claim_that_is_borne_out_is_closed(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    queue.tick()
    let_pass(redis_server.client, 901)
    queue.tick()
    assert queue.close([task(1).id, task(2).id]) == {task(1).id: "closed", task(2).id: "gone"}
    assert [held.id for held in queue.outstanding(LAKE)] == [task(2).id]


def test_a_copy_that_a_consumer_pushed_back_is_ready_again(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    pop(redis_server.client)
    queue.tick()
    redis_server.client.rpush(LISTS[1], task(1).body)
    queue.tick()
    (held,) = queue.outstanding(LAKE)
    assert (held.state, held.attempts) == (TaskState.READY, 0)
    assert not redis_server.client.exists("recon:q:lease")


def test_a_second_copy_of_an_outstanding_task_is_taken_out(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    redis_server.client.rpush(LISTS[1], task(2).body)
    redis_server.client.rpush(LISTS[1], task(1).body)
    queue.tick()
    assert sorted(json.loads(body)["id"] for row in listed(redis_server.client) for body in row) == [
        task(1).id,
        task(2).id,
    ]


def test_records_of_which_redis_lost_half_are_dropped(queue, redis_server):
    queue.publish([task(1), task(2), task(3)], fence=1, observed_at=SEEN)
    client = redis_server.client
    client.delete(LISTS[1])
    client.hdel("recon:q:body", task(1).id)
    client.hdel("recon:q:meta", task(2).id)
    client.hset("recon:q:body", task(3).id, "garbage")
    assert queue.outstanding(LAKE) == []
    queue.tick()
    assert set(client.keys()) == BARE


def test_copies_that_movers_left_behind_go_once_their_task_is_no_longer_out(queue, redis_server):
    client = redis_server.client
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    for _ in range(2):
        client.lmove(LISTS[1], "recon:processing:w1", "LEFT", "RIGHT")
    queue.tick()
    assert client.llen("recon:processing:w1") == 2
    queue.withdraw([task(1).id], fence=1)
    queue.tick()
    assert client.lrange("recon:processing:w1", 0, -1) == [task(2).body]


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
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    queue.publish([task(1, Priority.LOW)], fence=1, observed_at=SEEN)
    queue.revise([task(2, note="r")], fence=1)
    queue.tick()
    assert queue.withdraw(["f" * 32], fence=1) == {"f" * 32: "unknown"}
    assert queue.requeue(["f" * 32]) == {"f" * 32: "unknown"}
    assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id, task(2).id]
    queue.withdraw([task(1).id, task(2).id], fence=1)
    assert listed(client) == [FOREIGN] * 4


def test_a_second_lake_on_the_same_prefix_is_refused(queue, broker):
    queue.claim_lake()
    queue.claim_lake()
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    other = RedisTaskQueue(broker, lake="s3://other")
    for attempt in (
        other.claim_lake,
        lambda: other.publish([task(2)], fence=1, observed_at=SEEN),
        lambda: other.withdraw([task(1).id], fence=1),
        lambda: other.reopen([task(1)], fence=1),
        lambda: other.requeue([task(1).id]),
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
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    before = queue.outstanding(LAKE)
    assert queue.saved(0.05) in {True, False, None}
    assert queue.outstanding(LAKE) == before


def test_two_lakes_on_two_prefixes_do_not_meet(queue, broker):
    other = RedisTaskQueue(broker, lake="s3://other", prefix="two")
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    other.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    assert (len(queue.outstanding(LAKE)), len(other.outstanding("s3://other"))) == (1, 2)


def test_every_write_of_an_overtaken_cycle_is_refused(queue, redis_server):
    queue.publish([task(1)], fence=7, observed_at=SEEN)
    redis_server.client.set("recon:cycle:fence", 8)
    before = contents(redis_server.client)
    for attempt in (
        lambda: queue.publish([task(2)], fence=7, observed_at=SEEN),
        lambda: queue.revise([task(1, note="x")], fence=7),
        lambda: queue.withdraw([task(1).id], fence=7),
        lambda: queue.withdraw([], fence=7),
        lambda: queue.reopen([task(1)], fence=7),
    ):
        with pytest.raises(CycleFencedError, match="newer cycle"):
            attempt()
    assert contents(redis_server.client) == before
    assert queue.publish([task(2)], fence=8, observed_at=SEEN) == {task(2).id: "new"}


def test_a_cycle_that_wrote_shuts_older_ones_out_on_a_server_without_the_ledger(queue):
    queue.publish([task(1)], fence=8, observed_at=SEEN)
    with pytest.raises(CycleFencedError):
        queue.withdraw([task(1).id], fence=7)
    queue.withdraw([task(1).id], fence=9)
    with pytest.raises(CycleFencedError):
        queue.publish([task(1)], fence=8, observed_at=SEEN)


# ---- a failing server


def test_a_full_server_refuses_a_publication_whole_and_still_lets_tasks_go(queue, redis_server):
    queue.publish([task(1), task(2)], fence=1, observed_at=SEEN)
    before = contents(redis_server.client)
    redis_server.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerError, match=r"more memory"):
        queue.publish([task(1, Priority.LOW), task(3)], fence=1, observed_at=SEEN)
    assert contents(redis_server.client) == before
    assert queue.withdraw([task(2).id], fence=2) == {task(2).id: "withdrawn"}


def test_a_full_server_takes_none_of_a_new_batch(queue, redis_server):
    queue.claim_lake()
    redis_server.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerError, match="more memory"):
        queue.publish([task(number) for number in range(5)], fence=1, observed_at=SEEN)
    assert set(redis_server.client.keys()) == {b"recon:q:lake"}


def test_a_key_that_another_program_uses_stops_a_publication_before_its_first_write(queue, redis_server):
    redis_server.client.set(LISTS[3], "mine")
    with pytest.raises(BrokerError, match=r"WRONGTYPE.*prefix"):
        queue.publish([task(1), task(2, Priority.LOW)], fence=1, observed_at=SEEN)
    assert redis_server.client.keys() == [LISTS[3].encode()]


def test_scripts_that_the_server_forgot_are_sent_again(queue, redis_server):
    queue.publish([task(1)], fence=1, observed_at=SEEN)
    redis_server.client.script_flush()
    assert queue.publish([task(1)], fence=1, observed_at=SEEN) == {task(1).id: "duplicate"}


def test_lost_data_is_published_anew(queue, redis_server):
    queue.publish([task(1)], fence=5, observed_at=SEEN)
    redis_server.client.flushall()
    assert queue.publish([task(1)], fence=6, observed_at=SEEN) == {task(1).id: "new"}


def test_a_replica_says_that_it_is_one(queue, redis_server):
    redis_server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(BrokerError, match=r"(?i)read.?only.*primary"):
            queue.publish([task(1)], fence=1, observed_at=SEEN)
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
        queue.publish([task(1)], fence=1, observed_at=SEEN)
    return str(refused.value)


@pytest.mark.parametrize("name", list(SERVERS))
def test_what_was_published_outlives_a_sigkill_of_the_server(name):
    with running(binary_of(name)) as server:
        broker = RedisBroker.connect(server.url)
        queue = RedisTaskQueue(broker, lake=LAKE)
        queue.publish([task(1), task(2, Priority.CRITICAL)], fence=1, observed_at=SEEN)
        server.kill()
        with pytest.raises(BrokerError, match="check that the server runs"):
            queue.depths()
        server.start()
        assert queue.publish([task(1)], fence=1, observed_at=SEEN) == {task(1).id: "duplicate"}
        assert [held.id for held in queue.outstanding(LAKE)] == [task(1).id, task(2).id]
        broker.close()


@pytest.mark.parametrize("name", list(SERVERS))
def test_the_scripts_run_on_a_cluster_under_a_hash_tag(name):
    with running(binary_of(name), *cluster_options()) as server:
        server.client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        broker = RedisBroker.connect(server.url)
        while b"cluster_state:ok" not in bytes(broker.command("CLUSTER", "INFO")):
            time.sleep(0.02)
        queue = RedisTaskQueue(broker, lake=LAKE, prefix="{recon}")
        assert len({key_slot(key.encode()) for key in queue._keys}) == 1
        assert queue.publish([task(1)], fence=1, observed_at=SEEN) == {task(1).id: "new"}
        server.client.lpop("{recon}:queue:high")
        assert queue.tick().adopted == 1
        assert queue.withdraw([task(1).id], fence=1) == {task(1).id: "withdrawn"}
        with pytest.raises(BrokerError, match="hash tag"):
            RedisTaskQueue(broker, lake=LAKE).publish([task(1)], fence=1, observed_at=SEEN)
        broker.close()
