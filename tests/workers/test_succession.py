"""A cycle that nobody is left to end is given up: its lock is free, and its messages do nothing."""

from __future__ import annotations

from steps_place import GONE, place

from recon import access
from workers import steps, succession

__all__ = ["place"]


def lookout() -> access.Lookout:
    return access.lookout(access.settings())


def test_a_run_that_has_its_answer_leaves_no_note(place):
    succession.ask(lookout(), "a-asked")
    succession.answered(lookout(), "a-asked")
    succession.succeed(lookout())
    assert place.state("a-asked", "error") is None


def test_a_cycle_that_was_asked_for_and_never_begun_is_begun_no_more(place):
    succession.ask(lookout(), "a-asked")
    succession.succeed(lookout())
    assert steps.begin("a-asked", {}) is None
    assert place.ledger.current() is None
    assert place.state("a-asked", "asked") is None
    place.heals()


def test_a_cycle_that_holds_the_lock_is_given_up_with_all_its_messages(place):
    shard_ids = steps.begin("a-killed", {})
    assert shard_ids
    succession.succeed(lookout())
    place.scanned("b-next")
    for shard_id in shard_ids:
        assert not steps.scan_shard("a-killed", shard_id)
    steps.finish("a-killed")
    assert steps.begin("a-killed", {}) is None
    assert place.ledger.current() == "b-next"
    steps.finish("b-next")
    assert place.queued() == GONE
    assert place.state("a-killed", "report") is None
    assert place.state("a-killed", "error")["may_pass"] is False
    place.heals()


def test_a_cycle_that_had_written_its_report_keeps_it_and_gives_its_lock_back(place):
    place.scanned("a-done")
    wired = steps.engine()
    steps._conclude("a-done", wired.ledger.acquire("a-done"))
    succession.succeed(lookout())
    assert place.state("a-done", "report")
    assert place.state("a-done", "error") is None
    place.heals()
