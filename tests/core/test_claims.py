"""The books of claims: attempts, quarantine, absences with their day, pauses with refunds, time to fill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.core.claims import BELIEVED, ClaimRules, Claims

NOW = datetime(2025, 11, 1, 12, tzinfo=UTC)
RULES = ClaimRules(max_attempts=3, refuted_in_row=100)


def test_a_key_is_given_up_after_as_many_refuted_claims_as_are_allowed():
    claims = Claims()
    for attempt in range(3):
        assert claims.quarantined(RULES) == set(), attempt
        claims.note_refuted("nba", ["a"], NOW, RULES)
    assert claims.quarantined(RULES) == {"a"}
    assert claims.free(["a", "b"]) == ["a"]
    assert claims.quarantined(RULES) == set()


def test_a_key_that_is_there_begins_anew():
    claims = Claims()
    claims.note_refuted("nba", ["a"], NOW, RULES)
    claims.note_filled("nba", ["a"], NOW - timedelta(hours=1), NOW)
    assert claims.keys == {}
    assert claims.scrapers["nba"].in_row == 0
    assert claims.filled_since(NOW) == {"a"}
    claims.forget_filled(NOW + timedelta(seconds=1))
    assert claims.filled == {}


def test_the_keys_of_a_dead_task_are_given_up_once():
    claims = Claims()
    claims.note_dead("nba", ["a"], "poison", NOW, RULES)
    claims.note_dead("nba", ["a"], "again", NOW, RULES)
    assert claims.quarantined(RULES) == {"a"}
    assert claims.keys["a"].error == "poison"


def test_an_absence_needs_a_second_word_and_lapses_after_its_day():
    claims = Claims()
    claims.note_absent(["a"], "404", NOW)
    assert claims.known_absent(NOW) == set()
    claims.note_absent(["a"], "404 again", NOW)
    assert claims.known_absent(NOW) == {"a"}
    (waiver,) = claims.waivers(NOW)
    assert (waiver.key, waiver.reason, waiver.by) == ("a", "404 again", "scrapers")
    assert claims.known_absent(NOW + BELIEVED) == {"a"}
    assert claims.known_absent(NOW + BELIEVED + timedelta(days=1)) == set()
    claims.note_absent(["a"], "still", NOW + BELIEVED + timedelta(days=1))
    assert claims.known_absent(NOW + BELIEVED + timedelta(days=1)) == {"a"}


def test_a_persons_word_stands_at_once_and_no_scraper_changes_it():
    claims = Claims()
    claims.declare_absent("a", "lost", "ann", None, NOW)
    claims.note_absent(["a"], "404", NOW)
    claims.note_filled("nba", ["a"], None, NOW)
    assert claims.absences["a"].by == "ann"
    assert claims.known_absent(NOW + timedelta(days=9999)) == {"a"}
    assert claims.expire_absence("a")
    assert not claims.expire_absence("a")


def test_a_pause_gives_the_attempts_of_its_row_back_and_keeps_earlier_ones():
    rules = ClaimRules(max_attempts=5, refuted_in_row=2)
    claims = Claims()
    claims.note_refuted("old", ["a"], NOW, rules)
    assert not claims.note_refuted("nba", ["a", "b"], NOW, rules)
    assert claims.note_refuted("nba", ["b"], NOW, rules)
    assert claims.paused() == {"nba"}
    assert {name: record.attempts for name, record in claims.keys.items()} == {"a": 1}


def test_a_failed_probe_waits_as_long_again_and_is_told_no_second_time():
    rules = ClaimRules(refuted_in_row=1, probe_after=timedelta(hours=1))
    claims = Claims()
    assert claims.note_failed("nba", "boom", NOW, rules)
    assert claims.to_probe(NOW + timedelta(minutes=59), rules) == set()
    assert claims.to_probe(NOW + timedelta(hours=1), rules) == {"nba"}
    assert not claims.note_failed("nba", "boom", NOW + timedelta(hours=1), rules)
    assert claims.to_probe(NOW + timedelta(hours=1, minutes=59), rules) == set()
    claims.note_filled("nba", ["a"], None, NOW)
    assert claims.paused() == set()


def test_whom_a_person_paused_nobody_probes_and_no_success_resumes():
    claims = Claims()
    claims.pause("nba", "a person", "moving", NOW)
    assert claims.to_probe(NOW + timedelta(days=9), RULES) == set()
    claims.note_filled("nba", ["a"], None, NOW)
    assert claims.paused() == {"nba"}
    assert claims.resume("nba")
    assert not claims.resume("nba")


@pytest.mark.parametrize(("count", "median_s", "p95_s"), [(1, 1, 1), (20, 10.5, 19), (2000, 1500.5, 1950)])
def test_the_time_to_fill_is_told_of_the_last_thousand(count, median_s, p95_s):
    claims = Claims()
    for seconds in range(1, count + 1):
        claims.note_filled("nba", ["a"], NOW - timedelta(seconds=seconds), NOW)
    found = claims.time_to_fill()
    assert (found.tasks, found.median_s, found.p95_s) == (min(count, 1000), median_s, p95_s)


def test_nothing_filled_has_no_time_to_fill():
    assert Claims().time_to_fill() is None
