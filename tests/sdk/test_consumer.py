"""A consumer loses no task, says what came of each, and keeps only those it works on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from redis_servers import binary_of, running
from scraper_queue import ScraperQueue, wait_for
from wanted_groups import LAKE

from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.errors import BrokerError, BrokerUnreachableError, ConfigError
from recon.model import Priority, TaskState
from recon.sdk import Consumer


@pytest.fixture
def consumer(queue, redis_server):
    with Consumer(redis_server.url, idle_s=0.05) as made:
        yield made


def test_tasks_come_most_urgent_first_and_read_as_they_were_worded(queue, consumer):
    queue.publish("b", level=Priority.LOW)
    queue.publish("a", level=Priority.CRITICAL)
    seen = []
    for task in consumer:
        seen.append((list(task.keys), list(task.items), task.priority, task.attempts))
        assert (task.lake, task.source, task.data_type, task.reason) == (LAKE, "nba", "box", "missing")
        assert (task.scraper, task.partition) == ("nba_scraper", {"season": "2024-25"})
        assert (task.expect, task.args) == ({"min_size_bytes": 100}, [])
        assert task.pattern == "nba/box/{name}.json"
        assert task.done() == "settled"
    assert seen == [
        (["a"], [{"name": "a"}], Priority.CRITICAL, 1),
        (["b"], [{"name": "b"}], Priority.LOW, 1),
    ]
    assert set(queue.states().values()) == {TaskState.CLAIMED}
    assert [result["status"] for result in queue.results()] == ["done", "done"]


def test_what_is_said_of_tasks_reaches_the_engine(queue, consumer):
    queue.publish("a", "b", "c", "d")
    verbs = {
        "a": lambda task: task.done(keys=["a"]),
        "b": lambda task: task.absent("HTTP 404", keys=["b"]),
        "c": lambda task: task.failed("HTTP 503", delay_s=60),
        "d": lambda task: task.poison("no such league"),
    }
    for task in consumer:
        assert verbs[task.keys[0]](task) == "settled"
    told = [{name: said[name] for name in said if name not in {"id", "token"}} for said in queue.results()]
    assert told == [
        {"status": "done", "keys": ["a"]},
        {"status": "absent", "keys": ["b"], "evidence": "HTTP 404"},
        {"status": "failed", "error": "HTTP 503"},
        {"status": "poison", "error": "no such league"},
    ]
    states = {"a": TaskState.CLAIMED, "b": TaskState.CLAIMED, "c": TaskState.COOLING}
    assert queue.states() == states
    assert [dead.reason for dead in queue.engine.dead()] == ["no such league"]


def test_a_block_left_by_an_exception_has_failed_in_its_words(queue, consumer):
    queue.publish("a")
    with pytest.raises(ValueError, match="no score"), consumer.next_task():
        raise ValueError("no score\nin game 7 of redis://me:secret@host/")
    assert queue.results()[0]["error"] == "ValueError: no score in game 7 of redis://***@host/"
    assert queue.states() == {"a": TaskState.COOLING}


def test_a_block_left_without_a_word_has_failed(queue, consumer):
    queue.publish("a")
    with consumer.next_task():
        pass
    assert queue.results()[0]["error"] == "its consumer did not say what came of it"


def test_who_asks_for_the_next_task_has_left_the_one_before(queue, consumer):
    queue.publish("a", "b")
    assert [task.keys[0] for task in consumer] == ["a", "b"]
    assert set(queue.states().values()) == {TaskState.COOLING}


def test_a_task_whose_consumer_is_stopped_goes_back_and_costs_no_attempt(queue, consumer):
    queue.publish("a")
    with pytest.raises(SystemExit), consumer.next_task():
        raise SystemExit
    assert queue.tasks()["a"].state is TaskState.READY
    assert queue.tasks()["a"].attempts == 0
    assert queue.results() == []


def test_settling_twice_says_so_and_tells_the_engine_once(queue, consumer):
    queue.publish("a")
    with consumer.next_task() as task:
        assert (task.done(), task.done()) == ("settled", "repeated")
    assert len(queue.results()) == 1


def test_a_consumer_whose_lease_ended_is_told_and_what_it_did_counts_until_another_has_the_task(
    queue, redis_server
):
    queue.publish("a", "b")
    with Consumer(redis_server.url, batch=2) as slow, Consumer(redis_server.url) as quick:
        first, second = slow.next_task(), slow.next_task()
        queue.let_pass(3600)
        queue.engine.tick()
        assert first.done() == "late"
        queue.let_pass(3600)
        assert quick.next_task().id == second.id
        assert second.done() == "taken"
    assert [result["status"] for result in queue.results()] == ["done"]
    assert queue.states()["a"] is TaskState.CLAIMED


def test_run_goes_on_after_work_that_raises(queue, consumer):
    queue.publish("a", "b")

    def work(task):
        if task.keys[0] == "a":
            raise ValueError("no")
        task.done()

    consumer.run(work)
    assert queue.states() == {"a": TaskState.COOLING, "b": TaskState.CLAIMED}


def test_only_tasks_of_the_named_scrapers_are_taken(queue, redis_server):
    queue.publish("a", scraper="one")
    queue.publish("b", scraper='an "odd" óne')
    queue.publish("c", scraper="two", partition={"scraper": 'an "odd" óne'})
    with Consumer(redis_server.url, scrapers=['an "odd" óne'], idle_s=0.05) as consumer:
        assert [task.keys[0] for task in consumer] == ["b"]


def test_low_tasks_are_served_beside_urgent_ones_where_levels_are_weighted(queue, redis_server):
    queue.publish(*(f"c{n}" for n in range(50)), level=Priority.CRITICAL)
    queue.publish(*(f"l{n}" for n in range(50)), level=Priority.LOW)
    with Consumer(redis_server.url, weighted=True) as consumer:
        first = [consumer.next_task().priority for _ in range(60)]
    assert 0 < first.count(Priority.LOW) < first.count(Priority.CRITICAL)


def test_a_lease_lives_as_long_as_its_consumer_works(queue, redis_server):
    queue.publish("a", "b")
    with Consumer(redis_server.url, visibility_s=1, batch=2, idle_s=0.05) as consumer:
        task = consumer.next_task()
        time.sleep(1.5)
        assert queue.engine.tick().ended == 0
        assert task.done() == "settled"
        assert consumer.next_task().attempts == 1


def test_a_task_that_nobody_wants_any_more_is_cancelled(queue, redis_server):
    (published,) = queue.publish("a")
    with Consumer(redis_server.url, visibility_s=1) as consumer, consumer.next_task() as task:
        assert not task.cancelled
        assert queue.engine.withdraw([published.id], fence=1) == {published.id: "moot"}
        wait_for(lambda: task.cancelled)
    assert queue.tasks() == {}
    assert queue.results() == []


def test_a_task_that_was_taken_over_is_cancelled_too(queue, redis_server):
    queue.publish("a")
    with Consumer(redis_server.url, visibility_s=1) as consumer, consumer.next_task() as task:
        queue.let_pass(3600)
        queue.engine.tick()
        wait_for(lambda: task.cancelled)
    assert queue.tasks()["a"].state is TaskState.COOLING


def test_a_task_that_was_withdrawn_before_it_began_is_passed_over(queue, redis_server):
    _, second, _ = queue.publish("a", "b", "c")
    with Consumer(redis_server.url, visibility_s=1, batch=3) as consumer:
        consumer.next_task().done()
        queue.engine.withdraw([second.id], fence=1)
        wait_for(lambda: consumer._hand.tasks()[0].cancelled)
        assert consumer.next_task().keys[0] == "c"
    assert set(queue.states()) == {"a", "c"}


def test_a_consumer_that_stops_gives_back_what_it_has_not_begun(queue, redis_server):
    queue.publish("a", "b", "c")
    with Consumer(redis_server.url, batch=3) as consumer:
        for task in consumer:
            consumer.stop()
            assert consumer.stopping
            task.done()
    assert queue.states() == {"a": TaskState.CLAIMED, "b": TaskState.READY, "c": TaskState.READY}
    assert {task.attempts for task in queue.tasks().values() if task.state is TaskState.READY} == {0}


def test_what_is_begun_and_not_settled_goes_back_when_the_consumer_is_closed(queue, redis_server):
    queue.publish("a")
    with Consumer(redis_server.url) as consumer:
        consumer.next_task()
    assert queue.tasks()["a"].state is TaskState.READY


def test_a_waiting_consumer_is_woken_by_a_publication_and_asks_seldom(queue, redis_server):
    taken = []

    def take():
        with Consumer(redis_server.url) as consumer:
            taken.extend([consumer.next_task().keys[0], time.monotonic()])

    redis_server.client.config_resetstat()
    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(1)
    asked = redis_server.client.info("commandstats")
    queue.publish("a")
    at = time.monotonic()
    thread.join()
    assert taken[0] == "a"
    assert taken[1] - at < 0.8
    assert asked["cmdstat_evalsha"]["calls"] <= 3


def test_threads_share_a_consumer_and_get_each_task_once(queue, redis_server):
    keys = [f"{n}" for n in range(40)]
    queue.publish(*keys)
    seen = []
    with Consumer(redis_server.url, batch=7, idle_s=0.1) as consumer:

        def work():
            for task in consumer:
                with task:
                    seen.append(task.keys[0])
                    task.done()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counter(seen) == Counter(keys)
    assert set(queue.states().values()) == {TaskState.CLAIMED}


def test_an_unreadable_body_fails_and_the_next_task_is_taken(queue, redis_server, consumer):
    first, _ = queue.publish("a", "b")
    damaged = first.body.replace(b'"source"', b'"s\x00urce"')
    redis_server.client.lset("recon:queue:high", 0, damaged)
    assert [task.keys[0] for task in consumer] == ["b"]
    assert queue.results()[0] == {
        "id": first.id,
        "status": "failed",
        "token": queue.results()[0]["token"],
        "error": "its body is unreadable",
    }


def test_a_server_that_comes_back_in_time_is_no_failure():
    with running(binary_of("valkey-9"), "--appendfsync", "always") as server:
        broker = RedisBroker.connect(server.url)
        queue = ScraperQueue(RedisTaskQueue(broker, lake=LAKE), server.client)
        queue.publish("a", "b")
        with Consumer(server.url, idle_s=0.05) as consumer:
            task = consumer.next_task()
            server.kill()
            back = threading.Timer(1.5, server.start)
            back.start()
            assert task.done() == "settled"
            back.join()
            assert [other.keys[0] for other in consumer] == ["b"]
        broker.close()


def test_a_server_that_stays_away_is_an_error(queue, redis_server, tmp_path):
    with (
        Consumer(f"unix://{tmp_path}/nobody", patience_s=0) as consumer,
        pytest.raises(BrokerUnreachableError, match="check that the server runs"),
    ):
        consumer.next_task()


def test_a_wrong_password_is_an_error_at_once(redis_server):
    redis_server.client.execute_command("ACL", "SETUSER", "me", "on", ">right", "~*", "+@all")
    url = redis_server.url.replace("unix://", "unix://me:wrong@")
    with (
        Consumer(url) as consumer,
        pytest.raises(BrokerError, match="put the right user and password"),
    ):
        consumer.next_task()
    redis_server.client.execute_command("ACL", "DELUSER", "me")


def test_an_exposed_server_is_refused_unless_said():
    with pytest.raises(ConfigError, match="neither a password nor TLS"):
        Consumer("redis://queues.example:6379")
    Consumer("redis://queues.example:6379", allow_insecure=True)
    Consumer("rediss://queues.example:6379")
    with pytest.raises(ConfigError, match="neither a password nor TLS"):
        Consumer("rediss://queues.example:6379?ssl_cert_reqs=none")


def test_terms_that_cannot_be_kept_are_refused_together():
    with pytest.raises(ConfigError) as refused:
        Consumer("redis://localhost", visibility_s=0.1, batch=0)
    assert len(refused.value.problems) == 2


WORKER = """
import sys, time
from recon.sdk import Consumer
with Consumer(sys.argv[1], batch=3) as consumer:
    consumer.stop_on_signals()
    for task in consumer:
        with task:
            print("begun", flush=True)
            time.sleep(float(sys.argv[2]))
            task.done()
"""


def started(url: str, seconds: float) -> subprocess.Popen:
    words = [sys.executable, "-c", WORKER, url, str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


def test_on_sigterm_a_consumer_finishes_its_task_gives_back_the_others_and_exits_0(queue, redis_server):
    queue.publish("a", "b", "c")
    with started(redis_server.url, 0.5) as process:
        process.terminate()
        assert process.wait(10) == 0
    assert queue.states() == {"a": TaskState.CLAIMED, "b": TaskState.READY, "c": TaskState.READY}
    assert {task.attempts for task in queue.tasks().values()} == {0, 1}


def test_on_sigterm_a_consumer_that_waits_for_tasks_exits_0(redis_server):
    words = [sys.executable, "-c", WORKER, redis_server.url, "0"]
    with subprocess.Popen(words) as process:
        wait_for(lambda: redis_server.client.info("clients")["blocked_clients"])
        process.terminate()
        assert process.wait(10) == 0


def test_the_second_sigterm_ends_a_consumer_at_once_and_its_leases_end_by_themselves(queue, redis_server):
    queue.publish("a")
    with started(redis_server.url, 60) as process:
        process.terminate()
        time.sleep(0.2)
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM
    assert queue.states() == {"a": TaskState.LEASED}
    queue.let_pass(3600)
    assert queue.engine.tick().ended == 1


def test_a_killed_consumers_tasks_are_delivered_again(queue, redis_server):
    queue.publish("a", "b", "c")
    with started(redis_server.url, 60) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    queue.let_pass(3600)
    queue.engine.tick()
    queue.let_pass(3600)
    with Consumer(redis_server.url, batch=3, idle_s=0.05) as consumer:
        assert sorted((task.keys[0], task.attempts) for task in consumer) == [("a", 2), ("b", 2), ("c", 2)]
