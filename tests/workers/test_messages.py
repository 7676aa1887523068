"""What workers take from their queues is JSON."""

from __future__ import annotations

import os

import pytest
from installation import CONTROL, GONE, SCAN, site_in
from kombu import Connection, Exchange, Producer, Queue

from recon.access import _as_celery


@pytest.fixture
def site(tmp_path):
    with site_in(tmp_path) as made:
        yield made


class Opens:
    """Makes a folder where it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickled_message_is_refused_unread_and_the_worker_works_on(site, tmp_path):
    opened = tmp_path / "opened"
    site.start(*CONTROL)
    site.start(*SCAN)
    address = _as_celery(site.server.url)
    queue = Queue("recon.control", Exchange("recon.control"), routing_key="recon.control")
    with Connection(address) as connection:
        Producer(connection, exchange=queue.exchange, routing_key=queue.routing_key).publish(
            ((Opens(opened),), {}, {}),
            serializer="pickle",
            headers={"task": "recon.finish", "id": "evil", "lang": "py"},
            declare=[queue],
        )
    site.wait_for(lambda: "ContentDisallowed" in (site.folder / "log.txt").read_text())
    site.scheduled_cycle()
    site.wait_for(lambda: site.reports() and site.settled())
    assert not opened.exists()
    assert site.queued() == GONE
