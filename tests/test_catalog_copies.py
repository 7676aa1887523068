"""A catalog that cannot be read, or shrinks suddenly, is stood in for by its last good copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from recon.adapters.state_store import MemoryStateStore
from recon.catalog_copies import Choice, choice, count_complete_cycle
from recon.core.brake import BrakeLimits
from recon.core.catalog import Catalog
from recon.core.inventory import CatalogSpec
from recon.errors import CatalogError

SPEC = CatalogSpec("games", "inventory.yaml:3:3", file="games.csv", due="day")
LIMITS = BrakeLimits()
BEGUN = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Place:
    """One state, and a catalog that grows, shrinks and breaks while cycles pass an hour apart."""

    def __init__(self) -> None:
        self.state = MemoryStateStore()
        self.spec = SPEC
        self.rows: int | None = 100
        self.cycles = 0

    def cycle(self, *, dry_run: bool = False, complete: bool = True) -> Choice:
        name, at = f"c{self.cycles:03d}", BEGUN + timedelta(hours=self.cycles)
        self.cycles += 1
        found = choice(self.state, self.spec, self.read, LIMITS, (name, at))
        if not dry_run:
            found.remember(self.state)
            if complete:
                count_complete_cycle(self.state, name)
        return found

    def read(self) -> Catalog:
        if self.rows is None:
            raise CatalogError(f"{SPEC.where}: catalog 'games' (games.csv): cannot be read: No such file")
        days = [f"2026-01-{n % 28 + 1:02d}" for n in range(self.rows)]
        return Catalog(self.spec, pl.DataFrame({"id": [f"{n:04d}" for n in range(self.rows)], "day": days}))


@pytest.fixture
def place():
    return Place()


def rows(found: Choice) -> int | None:
    return None if found.catalog is None else found.catalog.frame.height


def test_a_readable_catalog_is_used_as_it_is_and_tells_nothing(place):
    first = place.cycle()
    assert (rows(first), first.notice) == (100, None)
    place.rows = 130
    assert (rows(place.cycle()), rows(place.cycle())) == (130, 130)


def test_an_unreadable_catalog_without_a_copy_is_none_and_says_why(place):
    place.rows = None
    found = place.cycle()
    assert found.catalog is None
    assert found.notice.message == "catalog 'games' (games.csv): cannot be read: No such file"
    assert found.notice.where == SPEC.where


def test_an_unreadable_catalog_is_stood_in_for_cell_by_cell_for_as_long_as_it_takes(place):
    kept = place.cycle().catalog.frame
    place.rows = None
    for _ in range(60):
        found = place.cycle()
        assert found.catalog.frame.equals(kept)
        assert found.catalog.spec == SPEC
    assert found.notice.message.startswith("catalog 'games' (games.csv): cannot be read: No such file. Until")
    assert "last good copy (100 rows, as read at 2026-11-25T12:00:00Z)" in found.notice.message
    place.rows = 101
    assert (rows(place.cycle()), place.cycle().notice) == (101, None)


def test_a_catalog_that_shrinks_within_the_limits_is_believed_at_once(place):
    place.cycle()
    place.rows = 85
    found = place.cycle()
    assert (rows(found), found.notice) == (85, None)


def test_a_sudden_shrink_is_held_back_and_the_notice_says_how_to_accept_it(place):
    place.cycle()
    place.rows = 60
    found = place.cycle()
    assert rows(found) == 100
    for part in ("60 rows, 40 fewer", "24 h and two more complete cycles", "delete catalogs/games.arrow"):
        assert part in found.notice.message
    place.state.delete("catalogs/games.arrow")
    assert rows(place.cycle()) == 60
    assert place.cycle().notice is None


def test_a_shrink_that_stands_for_a_day_and_two_complete_cycles_is_believed(place):
    place.cycle()
    place.rows = 60
    held = [rows(place.cycle()) for _ in range(24)]
    assert held == [100] * 24
    released = place.cycle()
    assert rows(released) == 60
    assert "believed" in released.notice.message
    assert place.cycle().notice is None


def test_cycles_that_did_not_see_everything_do_not_count_for_a_release(place):
    place.cycle()
    place.rows = 60
    assert [rows(place.cycle(complete=False)) for _ in range(40)] == [100] * 40
    assert [rows(place.cycle()) for _ in range(3)] == [100, 100, 60]


def test_a_shrink_by_more_than_half_is_never_believed_by_itself(place):
    place.cycle()
    place.rows = 49
    assert [rows(place.cycle()) for _ in range(60)] == [100] * 60
    assert "more than half is gone" in place.cycle().notice.message


@pytest.mark.parametrize("between", [None, 100])
def test_a_hold_begins_anew_when_the_catalog_was_back_or_unreadable_in_between(place, between):
    place.cycle()
    place.rows = 60
    for _ in range(20):
        place.cycle()
    place.rows = between
    place.cycle()
    place.rows = 60
    assert [rows(place.cycle()) for _ in range(24)] == [100] * 24


def test_a_dry_run_leaves_the_copy_and_the_hold_alone(place):
    place.cycle(dry_run=True)
    assert place.state.names("") == []
    place.cycle()
    before = place.state.get("catalogs/games.arrow")
    place.rows = 120
    assert rows(place.cycle(dry_run=True)) == 120
    place.rows = 50
    assert rows(place.cycle(dry_run=True)) == 100
    assert place.state.names("") == ["catalogs/games.arrow"]
    assert place.state.get("catalogs/games.arrow") == before


def test_a_cycle_that_is_recorded_twice_counts_once(place):
    place.cycle()
    place.rows = 60
    place.cycle()
    before = place.state.get("catalogs/games.hold.json")
    count_complete_cycle(place.state, "again")
    once = place.state.get("catalogs/games.hold.json")
    count_complete_cycle(place.state, "again")
    assert before != once == place.state.get("catalogs/games.hold.json")


def test_a_copy_of_another_declaration_stands_in_for_nothing(place):
    place.cycle()
    place.spec = replace(SPEC, file="games-2.csv")
    place.rows = 10
    assert rows(place.cycle()) == 10
    place.spec = replace(place.spec, where="inventory.yaml:9:9")
    place.rows = None
    assert rows(place.cycle()) == 10


def test_a_copy_that_was_damaged_is_no_copy(place):
    place.cycle()
    place.state.put("catalogs/games.arrow", place.state.get("catalogs/games.arrow")[:-40])
    place.rows = None
    assert place.cycle().catalog is None
    place.rows = 7
    assert rows(place.cycle()) == 7
