"""A consumer on an event loop keeps the promises of the other one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest
from redis_servers import binary_of, running
from scraper_queue import ScraperQueue, wait_for
from wanted_groups import LAKE

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.errors import BrokerError, BrokerUnreachableError
from recon.model import TaskState
from recon.sdk import AsyncConsumer


def test_what_is_said_of_tasks_reaches_the_engine(queue, redis_server):
    queue.publish("a", "b", "c", "d", "e")

    async def main():
        async with AsyncConsumer(redis_server.url, idle_s=0.05) as consumer:
            verbs = {
                "a": lambda task: task.done(keys=["a"]),
                "b": lambda task: task.absent("HTTP 404", keys=["b"]),
                "c": lambda task: task.failed("HTTP 503", delay_s=60),
                "d": lambda task: task.poison("no such league"),
                "e": lambda task: task.release(delay_s=60),
            }
            return [await verbs[task.keys[0]](task) async for task in consumer]

    assert asyncio.run(main()) == [*["settled"] * 4, "released"]
    assert [said["status"] for said in queue.results()] == ["done", "absent", "failed", "poison"]
    assert queue.states() == {
        "a": TaskState.CLAIMED,
        "b": TaskState.CLAIMED,
        "c": TaskState.COOLING,
        "e": TaskState.COOLING,
    }


def test_a_block_left_by_an_exception_has_failed_in_its_words(queue, redis_server):
    queue.publish("a")

    async def main():
        async with AsyncConsumer(redis_server.url) as consumer, await consumer.next_task():
            raise ValueError("no score")

    with pytest.raises(ValueError, match="no score"):
        asyncio.run(main())
    assert queue.results()[0]["error"] == "ValueError: no score"


def test_who_asks_for_the_next_task_has_left_the_one_before(queue, redis_server):
    queue.publish("a", "b")

    async def main():
        async with AsyncConsumer(redis_server.url, idle_s=0.05) as consumer:
            return [task.keys[0] async for task in consumer]

    assert asyncio.run(main()) == ["a", "b"]
    assert set(queue.states().values()) == {TaskState.COOLING}


def test_a_cancelled_coroutine_gives_its_task_back(queue, redis_server):
    queue.publish("a")

    async def main():
        async with AsyncConsumer(redis_server.url) as consumer:
            begun = asyncio.Event()

            async def work(_):
                begun.set()
                await asyncio.sleep(60)

            running_work = asyncio.create_task(consumer.run(work))
            await begun.wait()
            running_work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running_work

    asyncio.run(main())
    assert (queue.tasks()["a"].state, queue.tasks()["a"].attempts) == (TaskState.READY, 0)


def test_run_works_on_several_tasks_at_once_each_once(queue, redis_server):
    keys = [f"{n}" for n in range(40)]
    queue.publish(*keys)
    seen, at_once = [], []

    async def work(task):
        at_once.append(task)
        most.append(len(at_once))
        await asyncio.sleep(0.01)
        at_once.remove(task)
        seen.append(task.keys[0])
        if task.keys[0] == "7":
            raise ValueError("no")
        await task.done()

    async def main():
        async with AsyncConsumer(redis_server.url, batch=5, idle_s=0.1) as consumer:
            await consumer.run(work, concurrency=4)

    most: list[int] = []
    asyncio.run(main())
    assert Counter(seen) == Counter(keys)
    assert max(most) == 4
    assert Counter(queue.states().values()) == {TaskState.CLAIMED: 39, TaskState.COOLING: 1}


def test_a_lease_lives_on_and_the_heartbeat_tells_of_a_withdrawal(queue, redis_server):
    (published,) = queue.publish("a")

    async def main():
        async with (
            AsyncConsumer(redis_server.url, visibility_s=1) as consumer,
            await consumer.next_task() as task,
        ):
            await asyncio.sleep(1.5)
            assert queue.engine.tick().ended == 0
            assert not task.cancelled
            queue.engine.withdraw([published.id], fence=1)
            async with asyncio.timeout(20):
                while not task.cancelled:  # noqa: ASYNC110 - what a scraper does
                    await asyncio.sleep(0.02)

    asyncio.run(main())
    assert queue.tasks() == {}


def test_a_consumer_that_stops_gives_back_what_it_has_not_begun(queue, redis_server):
    queue.publish("a", "b", "c")

    async def main():
        async with AsyncConsumer(redis_server.url, batch=3) as consumer:
            async for task in consumer:
                consumer.stop()
                await task.done()

    asyncio.run(main())
    assert queue.states() == {"a": TaskState.CLAIMED, "b": TaskState.READY, "c": TaskState.READY}


def test_an_unreadable_body_fails_and_the_next_task_is_taken(queue, redis_server):
    first, _ = queue.publish("a", "b")
    redis_server.client.lset("recon:queue:high", 0, first.body[:-1])

    async def main():
        async with AsyncConsumer(redis_server.url, idle_s=0.05) as consumer:
            return [task.keys[0] async for task in consumer]

    assert asyncio.run(main()) == ["b"]
    assert queue.results()[0]["error"] == "its body is unreadable"


def test_a_server_that_comes_back_in_time_is_no_failure():
    with running(binary_of("valkey-9"), "--appendfsync", "always") as server:
        broker = RedisBroker.connect(server.url)
        queue = ScraperQueue(RedisTaskQueue(broker, lake=LAKE), server.client)
        queue.publish("a", "b")

        async def main():
            async with AsyncConsumer(server.url, idle_s=0.05) as consumer:
                task = await consumer.next_task()
                server.kill()
                back = threading.Timer(1.5, server.start)
                back.start()
                assert await task.done() == "settled"
                back.join()
                return [other.keys[0] async for other in consumer]

        assert asyncio.run(main()) == ["b"]
        broker.close()


def test_a_server_that_stays_away_is_an_error(tmp_path):
    async def main():
        async with AsyncConsumer(f"unix://{tmp_path}/nobody", patience_s=0) as consumer:
            await consumer.next_task()

    with pytest.raises(BrokerUnreachableError, match="check that the server runs"):
        asyncio.run(main())


def test_an_address_that_cannot_be_used_is_named_without_its_secret():
    with pytest.raises(BrokerError, match="Expected redis://") as refused:
        AsyncConsumer("http://me:secret@localhost")
    assert "secret" not in str(refused.value)


WORKER = """
import asyncio, sys
from recon.sdk import AsyncConsumer

async def main():
    async with AsyncConsumer(sys.argv[1], batch=3) as consumer:
        consumer.stop_on_signals()
        async for task in consumer:
            async with task:
                print("begun", flush=True)
                await asyncio.sleep(float(sys.argv[2]))
                await task.done()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_a_signal_a_consumer_finishes_its_task_and_exits_0(queue, redis_server, number):
    queue.publish("a", "b", "c")
    words = [sys.executable, "-c", WORKER, redis_server.url, "0.5"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        assert process.wait(10) == 0
    assert queue.states() == {"a": TaskState.CLAIMED, "b": TaskState.READY, "c": TaskState.READY}


def test_on_sigterm_a_consumer_that_waits_for_tasks_exits_0(redis_server):
    words = [sys.executable, "-c", WORKER, redis_server.url, "0"]
    with subprocess.Popen(words) as process:
        wait_for(lambda: redis_server.client.info("clients")["blocked_clients"])
        process.terminate()
        assert process.wait(10) == 0
