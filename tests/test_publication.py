"""What a publication says of the queue server's disk; what it does to the queues is told in test_cycle.py."""

from __future__ import annotations

import pytest
from redis_servers import ON_DISK, binary_of, running

from recon import publication
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.model import PublishCounts
from recon.plan import Options
from recon.publication import unsaved

OPTIONS = Options("s3://lake")
SOME = PublishCounts(published=1)


def told(server, options: Options = OPTIONS, counts: PublishCounts = SOME, *, dies: bool = False) -> str:
    broker = RedisBroker.connect(server.url)
    queue = RedisTaskQueue(broker, lake="s3://lake")
    if dies:
        server.kill()
    try:
        return " ".join(unsaved(queue, options, counts))
    finally:
        broker.close()


def test_a_server_that_has_written_everything_gives_no_warning():
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        assert told(server) == ""


def test_a_server_that_leaves_its_disk_for_later_is_a_warning_with_the_next_step(monkeypatch):
    monkeypatch.setattr(publication, "SAVED_TIMEOUT_S", 0.2)
    with running(binary_of("valkey-9"), "--appendfsync", "no") as server:
        line = told(server)
    assert "not on their server's disk after 0.2 s" in line
    assert "appendfsync" in line


def test_a_server_that_dies_after_the_publication_is_a_warning_and_no_error():
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        assert "is not known" in told(server, dies=True)


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (OPTIONS, PublishCounts(duplicate=3, deferred=2, outstanding=3)),
        (Options("s3://lake", dry_run=True), SOME),
    ],
)
def test_the_disk_is_not_waited_for_where_nothing_was_written(options, counts):
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        assert told(server, options, counts, dies=True) == ""
