"""Redis is away, silent, read-only, full or crowded while a cycle scans, its workers running."""

from __future__ import annotations

import os
import signal
import time

import pytest
import redis

AWAY_S, UNFIT_S = 60.0, 20.0

pytestmark = pytest.mark.timeout(500)


def test_a_redis_that_is_killed_for_a_minute_is_waited_for(busy):
    busy.hold()
    busy.server.kill()
    busy.go_on()
    time.sleep(AWAY_S)
    busy.server.start()
    busy.heals()


def test_a_redis_that_is_silent_for_a_minute_is_waited_for(busy):
    busy.hold()
    os.kill(busy.server.pid, signal.SIGSTOP)
    busy.go_on()
    time.sleep(AWAY_S)
    os.kill(busy.server.pid, signal.SIGCONT)
    busy.heals()


def test_a_redis_that_turns_into_a_replica_takes_nothing_and_heals(busy):
    busy.hold()
    before = busy.queued()
    busy.server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    busy.go_on()
    time.sleep(UNFIT_S)
    assert busy.queued() == before
    busy.server.client.execute_command("REPLICAOF", "NO", "ONE")
    busy.heals()


def test_a_redis_that_is_full_takes_a_publication_whole_or_not_at_all(busy):
    busy.hold()
    before = busy.queued()
    busy.server.client.config_set("maxmemory", 1)
    busy.go_on()
    time.sleep(UNFIT_S)
    assert busy.queued() <= before  # what is filled may be withdrawn: that takes no memory
    busy.server.client.config_set("maxmemory", 0)
    busy.heals()


def test_a_redis_without_connections_is_waited_for(busy):
    busy.hold()
    admin = redis.Redis.from_url(busy.server.url, single_connection_client=True)
    admin.config_set("maxclients", 1)
    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    busy.go_on()
    time.sleep(UNFIT_S)
    admin.config_set("maxclients", 10_000)
    busy.heals()
