"""Who is told of what, and when: a walk through the minutes and hours of one engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.core.alert_message import Kind
from recon.core.alert_words import notification, runbook
from recon.core.alerting import AlertBook, AlertRules, due, noted, told, unseen
from recon.core.conditions import Condition, ConditionName, Severity
from recon.core.engine_standing import CLAIMS, QUEUES, Standing
from recon.core.outbox import Audience

START = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ALL = AlertRules((Audience("a"),))


def condition(name="critical gaps", severity=Severity.WARNING, words="12 are open", subjects=()):
    return Condition(ConditionName(name), severity, words, "look", None, tuple(subjects))


class Walk:
    """One book over time; each look tells what every channel heard."""

    def __init__(self, rules=ALL):
        self.rules, self.book, self.now = rules, AlertBook(), START
        self.broken: set[str] = set()

    def look(self, *found, after_s=30.0, blind=()):
        self.now += timedelta(seconds=after_s)
        self.book = noted(self.book, found, frozenset(blind), self.rules, self.now)
        heard = due(self.book, self.now)
        outcomes = {one: (said, "down" if one in self.broken else "") for one, said in heard.items()}
        self.book = told(self.book, outcomes, self.now)
        return {
            one: [(message.kind.value, message.name.value) for message in said]
            for one, said in heard.items()
            if one not in self.broken
        }

    def heard(self, *found, **options):
        return self.look(*found, **options).get("a", [])


def test_what_is_new_is_told_once_and_reminded_of_after_a_day():
    walk = Walk()
    gaps = condition()
    assert walk.heard(gaps) == [("begun", "critical gaps")]
    assert all(walk.heard(gaps) == [] for _ in range(20))
    assert walk.heard(gaps, after_s=23 * 3600) == []
    assert walk.heard(gaps, after_s=3600) == [("still", "critical gaps")]
    assert walk.heard(gaps) == []


def test_the_end_is_told_once_when_it_has_stayed_away():
    walk = Walk()
    walk.look(condition())
    assert walk.heard() == []
    assert walk.heard(after_s=299) == []
    assert walk.heard(after_s=1) == [("over", "critical gaps")]
    assert walk.heard(after_s=3600) == []
    assert walk.heard(condition()) == [("begun", "critical gaps")]


def test_what_flaps_is_told_less_and_less_often():
    walk = Walk()
    minutes_on, heard = 6, 0
    for minute in range(6 * 60):
        found = [condition()] if minute // minutes_on % 2 == 0 else []
        heard += len(walk.heard(*found, after_s=60))
    assert heard <= 5  # 30 times on and off would be 60 messages


def test_a_look_that_cannot_see_ends_nothing():
    walk = Walk()
    dead = condition("dead letters")
    walk.look(dead)
    assert all(walk.heard(blind=[dead.name], after_s=600) == [] for _ in range(5))
    assert walk.heard(dead) == []
    assert unseen(Standing(at=START, lake="x", unknown={QUEUES: "down", CLAIMS: "torn"})) == {
        ConditionName.DEAD_LETTERS,
        ConditionName.SCRAPER_PAUSED,
        ConditionName.QUARANTINED_KEYS,
    }


def test_a_server_that_was_silent_for_one_look_alarms_nobody():
    walk = Walk()
    down = condition("broker unreachable", Severity.CRITICAL)
    assert walk.heard(down) == []
    assert walk.heard() == []
    assert walk.heard(after_s=600) == []
    assert [walk.heard(down), walk.heard(down)] == [[], [("begun", "broker unreachable")]]


def test_a_second_scraper_that_is_paused_and_a_loss_that_turns_critical_are_news():
    walk = Walk()
    walk.look(condition("scraper paused", subjects=["a"]))
    assert walk.heard(condition("scraper paused", subjects=["a", "b"])) == [("worse", "scraper paused")]
    assert walk.heard(condition("scraper paused", subjects=["b"])) == []
    walk.look(condition("lake unreachable"), condition("scraper paused", subjects=["b"]))
    assert walk.heard(
        condition("lake unreachable", Severity.CRITICAL), condition("scraper paused", subjects=["b"])
    ) == [("worse", "lake unreachable")]


def test_more_dead_letters_are_no_news():
    walk = Walk()
    walk.look(condition("dead letters", subjects=["1"]))
    assert walk.heard(condition("dead letters", subjects=["1", "2"])) == []


def test_a_channel_that_fails_is_tried_again_later_and_the_others_hear_at_once():
    walk = Walk(AlertRules((Audience("a"), Audience("b"))))
    walk.broken = {"b"}
    assert walk.look(condition()) == {"a": [("begun", "critical gaps")]}
    assert walk.look(condition()) == {}
    walk.broken = set()
    assert walk.look(condition(), after_s=20) == {}
    assert walk.look(condition(), after_s=20) == {"b": [("begun", "critical gaps")]}
    assert walk.book.outboxes["b"].failures == 0
    assert walk.look(condition(), after_s=4000) == {}


def test_waits_between_attempts_grow_to_an_hour():
    walk = Walk()
    walk.broken = {"a"}
    waits = []
    for _ in range(10):
        walk.look(condition(), after_s=3600)
        waits.append((walk.book.outboxes["a"].retry_at - walk.now).total_seconds())
    assert waits[:4] == [60, 120, 240, 480]
    assert waits[-1] == 3600


def test_what_ended_before_a_channel_could_be_told_is_not_told_it():
    walk = Walk()
    walk.broken = {"a"}
    walk.look(condition())
    walk.look(after_s=60)
    walk.broken = set()
    assert walk.heard(after_s=301) == [("begun", "critical gaps")] or walk.book.outboxes["a"].pending == ()
    assert walk.heard(after_s=3600) == []


def test_a_new_channel_hears_of_all_that_stands():
    walk = Walk()
    walk.look(condition())
    walk.rules = AlertRules((Audience("a"), Audience("new")))
    assert walk.look(condition()) == {"new": [("begun", "critical gaps")]}


def test_channels_hear_what_they_are_for_and_nobody_of_what_is_silenced():
    failures = frozenset({ConditionName.CYCLE_FAILED})
    found = condition("cycle failed", Severity.CRITICAL), condition()
    walk = Walk(AlertRules((Audience("a"), Audience("few", failures))))
    assert walk.look(*found)["few"] == [("begun", "cycle failed")]
    walk = Walk(AlertRules((Audience("a"),), silenced=failures))
    assert walk.heard(*found) == [("begun", "critical gaps")]


def test_a_digest_gathers_all_but_what_is_critical():
    walk = Walk(AlertRules((Audience("a"),), digest=timedelta(days=1)))
    gaps, dead = condition(), condition("dead letters")
    assert walk.heard(gaps, condition("cycle late", Severity.CRITICAL)) == [("begun", "cycle late")]
    late = condition("cycle late", Severity.CRITICAL)
    assert walk.heard(gaps, dead, late, after_s=3600) == []
    assert walk.heard(gaps, dead, late, after_s=22.9 * 3600) == []
    assert (
        sorted(walk.heard(gaps, dead, late, after_s=400))
        == sorted([("begun", "critical gaps"), ("begun", "dead letters"), ("still", "cycle late")])
        or walk.book.outboxes["a"].digest == ()
    )


def test_a_channel_that_is_away_for_ever_costs_a_bounded_book():
    walk = Walk()
    walk.broken = {"a"}
    for hour in range(600):
        walk.look(*([condition(name) for name in ConditionName] if hour % 8 < 4 else []), after_s=3600)
    assert len(walk.book.outboxes["a"].pending) <= 50
    assert len(walk.book.entries) <= len(ConditionName)


@pytest.mark.parametrize("count", [1, 2])
def test_a_notification_tells_what_and_what_to_do_next(count):
    walk = Walk()
    found = [condition("brake held", Severity.CRITICAL, "40 keys have vanished"), condition()][:count]
    walk.now += timedelta(seconds=1)
    book = noted(walk.book, found, frozenset(), ALL, walk.now)
    title, body = notification(due(book, walk.now)["a"], "[ADCE]", "s3://lake")
    assert title.startswith("[ADCE] CRITICAL brake held" if count == 1 else "[ADCE] 2 alerts: CRITICAL brake")
    assert "40 keys have vanished\nNext: look\nSince 2026-01-02 03:04 UTC" in body
    assert "docs/operations.md#brake-held" in body
    assert body.endswith("lake: s3://lake")
    assert Kind.ENDED.value == "over"


def test_each_condition_has_a_heading_of_the_runbook():
    assert {runbook(name) for name in ConditionName} >= {"docs/operations.md#report-too-old"}
