"""The Redis client says in words what is wrong with a server, and never waits for ever."""

from __future__ import annotations

import os
import signal
import time

import pytest
import redis
from redis_servers import SERVERS, binary_of, running

from recon.adapters.redis_client import Fitness, RedisBroker
from recon.adapters.redis_client.failures import broker_errors
from recon.errors import BrokerError, BrokerUnreachableError


def test_a_server_set_up_as_documented_has_no_problems(broker):
    assert broker.check() == Fitness()


def test_a_server_that_may_lose_or_evict_tasks_is_named(broker, redis_server):
    redis_server.client.config_set("appendonly", "no")
    redis_server.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = broker.check()
    finally:
        redis_server.client.config_set("appendonly", "yes")
        redis_server.client.config_set("maxmemory-policy", "noeviction")
    assert [problem.split()[0] for problem in found.refused] == ["maxmemory-policy"]
    assert [problem.split()[0] for problem in found.warned] == ["appendonly"]
    assert all("Set it to" in problem for problem in (*found.refused, *found.warned))


def test_a_replica_is_named(broker, redis_server):
    redis_server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        (problem,) = broker.check().refused
    finally:
        redis_server.client.execute_command("REPLICAOF", "NO", "ONE")
    assert "replica" in problem


def test_a_server_that_is_not_there_is_a_broker_error_with_the_next_step(tmp_path):
    broker = RedisBroker.connect(f"unix://{tmp_path}/none.sock")
    with pytest.raises(BrokerError, match="check that the server runs"):
        broker.check()
    broker.close()


def test_a_url_of_another_kind_is_a_broker_error():
    with pytest.raises(BrokerError, match="Expected redis://"):
        RedisBroker.connect("http://localhost")


@pytest.mark.parametrize("name", list(SERVERS))
def test_a_wrong_password_says_where_to_put_the_right_one(name):
    with running(binary_of(name)) as server:
        server.client.config_set("requirepass", "secret-of-the-test")
        broker = RedisBroker.connect(server.url)
        with pytest.raises(BrokerError, match="user and password") as refused:
            broker.command("PING")
        assert "secret-of-the-test" not in str(refused.value)
        broker.close()


def test_a_user_who_may_not_run_a_command_is_told_what_to_grant(redis_server):
    redis_server.client.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~recon:*", "+ping")
    broker = RedisBroker.connect(redis_server.url.replace("unix://", "unix://narrow:pw@"))
    try:
        broker.command("PING")
        with pytest.raises(BrokerError, match="grant this user"):
            broker.command("GET", "recon:x")
        with pytest.raises(BrokerError, match="grant this user"):
            broker.check()
    finally:
        broker.close()
        redis_server.client.execute_command("ACL", "DELUSER", "narrow")


@pytest.mark.parametrize("name", list(SERVERS))
def test_a_server_that_hangs_is_given_up_after_the_reply_timeout(name):
    with running(binary_of(name)) as server:
        broker = RedisBroker.connect(server.url, reply_timeout_s=0.1)
        broker.command("PING")
        os.kill(server.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(BrokerError, match="check that the server runs"):
            broker.command("PING")
        assert time.monotonic() - started < 8
        os.kill(server.pid, signal.SIGCONT)
        broker.command("PING")
        broker.close()


WRITE = ("HINCRBY", "recon:q:stats", "waited", 1)


def test_what_was_written_is_waited_for_where_the_server_can_tell(broker, redis_server):
    redis_server.client.config_set("appendfsync", "always")
    try:
        saved = broker.saved(WRITE, 5)
    finally:
        redis_server.client.config_set("appendfsync", "no")
    version = redis_server.client.info("server")
    can_tell = "valkey_version" in version or tuple(map(int, version["redis_version"].split(".")[:2])) >= (
        7,
        2,
    )
    assert saved is (True if can_tell else None)
    assert redis_server.client.hget("recon:q:stats", "waited") == b"1"


def test_a_disk_that_is_not_reached_in_time_is_told(broker, redis_server):
    started = time.monotonic()
    assert broker.saved(WRITE, 0.2) in (False, None)  # appendfsync no: the server leaves it to the system
    assert time.monotonic() - started < 5


def test_without_an_append_only_file_nothing_is_waited_for(broker, redis_server):
    redis_server.client.config_set("appendonly", "no")
    try:
        assert broker.saved(WRITE, 5) is None
    finally:
        redis_server.client.config_set("appendonly", "yes")


@pytest.mark.parametrize(
    ("refusal", "step"),
    [
        (redis.exceptions.MovedError("7 10.0.0.1:7000"), "CLUSTER SHARDS"),
        (redis.ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "ssl_ca_certs"),
    ],
)
def test_what_waiting_does_not_mend_is_told_apart_from_a_server_that_is_away(refusal, step):
    with pytest.raises(BrokerError, match=step) as told, broker_errors("PING"):
        raise refusal
    assert not isinstance(told.value, BrokerUnreachableError)
    with pytest.raises(BrokerUnreachableError), broker_errors("PING"):
        raise redis.ConnectionError("Connection refused")
