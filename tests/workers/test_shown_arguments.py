"""What is shown of a task's arguments: ids, and nothing that somebody typed."""

from __future__ import annotations

import pytest
from celery import Celery

from workers import app as engine
from workers.shown_arguments import shown

CYCLE = "20261125T161623-1a7343"


@pytest.fixture
def app():
    """Return an app with the engine's messages, but without its settings: they start a broker."""
    return Celery("shown", amqp=engine.app.amqp_cls, set_as_current=False)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((CYCLE, "d00847517fd23fbd"), f"({CYCLE}, d00847517fd23fbd)"),
        ((f"{CYCLE}-r2",), f"({CYCLE}-r2)"),
        ((3600.0,), "(3600.0)"),
        ((), "()"),
        ((CYCLE, {"select": ["source:x"], "dry_run": False}), f"({CYCLE}, …)"),
        (("hunter2",), "(…)"),
        (("redis://:secret@host",), "(…)"),
        (([CYCLE],), "(…)"),
    ],
)
def test_ids_and_numbers_are_shown(arguments, text):
    assert shown(arguments) == text


def test_every_message_of_the_app_shows_ids_only(app):
    message = app.amqp.create_task_message(
        "id", "recon.begin", (CYCLE, {"secret": "x"}), {"secret": "x"}, None
    )
    assert message.headers["argsrepr"] == f"({CYCLE}, …)"
    assert message.headers["kwargsrepr"] == "{…}"
    assert message.body[0] == (CYCLE, {"secret": "x"})


def test_an_event_of_a_message_that_was_sent_shows_ids_only(app):
    message = app.amqp.create_task_message("id", "recon.begin", ("x", CYCLE), {}, create_sent_event=True)
    assert message.sent_event["args"] == f"(…, {CYCLE})"
