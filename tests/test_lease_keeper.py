"""Leases are held on to while they are wanted, and word comes of those that are gone."""

from __future__ import annotations

import time

import pytest
from redis_servers import binary_of, running
from work_place import WorkPlace, wait_for

from recon.lease_keeper import LeaseKeeper
from recon.model import Lease, Settlement


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9"), "--appendfsync", "always") as server:
        yield server


@pytest.fixture
def place(valkey, tmp_path):
    valkey.client.flushall()
    made = WorkPlace(valkey, tmp_path)
    yield made
    made.broker.close()


def until_ms(place: WorkPlace) -> dict[str, float]:
    return {
        name.decode(): until for name, until in place.client.zrange("recon:q:lease", 0, -1, withscores=True)
    }


def test_leases_that_were_added_are_extended_and_those_removed_are_not(place):
    ids = [place.put(), place.put()]
    leases = place.leases.lease(2, visibility_s=0.6)
    with LeaseKeeper(place.leases, 0.6, lambda *_: None) as keeper:
        keeper.add(leases)
        keeper.remove(leases[1:])
        before = until_ms(place)
        wait_for(lambda: until_ms(place)[ids[0]] > before[ids[0]] + 300)
    assert until_ms(place)[ids[1]] == before[ids[1]]


def test_a_lease_that_was_taken_away_is_told_once_and_a_settled_one_never(place):
    gone: list[tuple[Lease, str]] = []
    cancelled, lost, settled = place.put(), place.put(), place.put()
    leases = {lease.id: lease for lease in place.leases.lease(3, visibility_s=30)}
    with LeaseKeeper(place.leases, 0.3, lambda *told: gone.append(told)) as keeper:
        keeper.add(leases.values())
        place.leases.settle(leases[settled], Settlement.DONE)
        keeper.remove([leases[settled]])
        place.queue.withdraw([cancelled], fence=1)
        place.leases.release([leases[lost]])
        wait_for(lambda: len(gone) == 2)
        time.sleep(0.4)
    assert {lease.id: how for lease, how in gone} == {cancelled: "cancelled", lost: "lost"}


def test_an_outage_takes_no_lease_away(valkey, place):
    gone: list[tuple[Lease, str]] = []
    task = place.put()
    leases = place.leases.lease(1, visibility_s=60)
    with LeaseKeeper(place.leases, 0.6, lambda *told: gone.append(told)) as keeper:
        keeper.add(leases)
        valkey.kill()
        time.sleep(0.5)
        valkey.start()
        place.client = valkey.client
        before = until_ms(place)[task]
        wait_for(lambda: until_ms(place)[task] != before)
    assert gone == []
