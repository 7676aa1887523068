"""Notifications through apprise, to services that are there, refuse, hang, or are not there at all."""

from __future__ import annotations

import logging
import time

import pytest
from alert_receiver import Receiver, mail_server

from recon.adapters.alerts import PATIENCE_S, Notification, Services
from recon.masking import masker

NOTE = Notification("[recon] CRITICAL brake held", "40 keys <have> vanished\nNext: look", is_bad=True)


def services(**addresses):
    return Services(addresses, masker(["s3cret-canary", "t0ken-canary"]))


def test_a_service_is_told_title_and_body_as_they_are():
    with Receiver() as receiver:
        assert services(a=receiver.address).send({"a": NOTE}) == {"a": ""}
        (told,) = receiver.told
    assert (told["title"], told["message"], told["type"]) == (NOTE.title, NOTE.body, "failure")


def test_mail_goes_to_everybody_as_plain_text():
    with mail_server() as (host, taken):
        address = f"mailto://{host}?from=recon@lake.org&to=a@lake.org,b@lake.org"
        assert services(a=address).send({"a": NOTE}) == {"a": ""}
    assert {mail["to"] for mail in taken} == {"a@lake.org", "b@lake.org"}
    assert {(mail["from"], mail["subject"]) for mail in taken} == {("recon@lake.org", NOTE.title)}
    assert taken[0]["body"].splitlines()[:2] == NOTE.body.splitlines()


def test_a_service_that_refuses_is_a_problem_in_words_without_its_secrets(caplog):
    caplog.set_level(logging.DEBUG)
    with Receiver() as receiver:
        receiver.status = 500
        (problem,) = services(a=receiver.address).send({"a": NOTE}).values()
    assert "500" in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    "address", ["json://127.0.0.1:1/t0ken-canary", "mailto://127.0.0.1:1?from=a@b.org&to=a@b.org"]
)
def test_a_service_that_is_not_there_is_a_problem(address):
    (problem,) = services(a=address).send({"a": NOTE}).values()
    assert problem
    assert "canary" not in problem


def test_an_address_that_apprise_does_not_understand_is_told_before_and_when_it_is_used():
    found = services(a="nonsense://x", b="json://127.0.0.1:1")
    assert found.unusable() == ["a"]
    assert "does not understand" in found.send({"a": NOTE})["a"]


def test_a_service_that_hangs_keeps_nobody_waiting():
    with Receiver() as receiver, Receiver() as slow:
        slow.wait_s = 8.0
        started = time.monotonic()
        problems = services(a=receiver.address, b=slow.address + "?rto=60").send({"a": NOTE, "b": NOTE})
        assert time.monotonic() - started < PATIENCE_S + 1
        assert problems == {"a": "", "b": "no answer within 5 s"}
