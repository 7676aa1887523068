"""The commands ask before they change anything, say what they did, and end with the right code."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from aws_server import Aws, aws
from reports_place import Place, new_place
from terminal import answered

from recon.core.inventory_setup import configuration, statement


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with aws() as made:
        yield made


@pytest.fixture
def place(tmp_path, monkeypatch, server, request) -> Place:
    return new_place(tmp_path, server, monkeypatch, request.node.nodeid)


def test_a_second_run_changes_nothing_and_says_so(place):
    place.recon("enable", "--yes")
    place.server.called.clear()
    done = place.recon("enable")
    assert done.exit_code == 0
    assert "nothing to change" in done.stdout
    assert place.server.changes == []
    assert place.json("enable", "--yes")["changed"] is False


def test_a_dry_run_shows_both_documents_and_changes_nothing(place):
    done = place.recon("enable", "--dry-run")
    assert done.exit_code == 0
    assert json.dumps(configuration(place.delivery), indent=2) in done.stdout
    assert statement(place.delivery)["Resource"] in done.stdout
    assert "dry run: nothing was changed" in done.stdout
    assert place.server.changes == []
    assert place.json("enable", "--dry-run", "--yes")["changed"] is False
    assert place.server.changes == []


def test_without_a_terminal_and_without_yes_it_is_refused(place):
    done = place.recon("enable")
    assert done.exit_code == 2
    assert "--dry-run, then pass --yes" in done.stderr
    assert place.server.changes == []


@pytest.mark.parametrize(("answer", "code", "put"), [("y", 0, True), ("n", 1, False)])
def test_a_terminal_is_asked(place, answer, code, put):
    place.server.called.clear()
    done = answered(place.folder, answer, "s3-inventory", "enable", "--config", "recon.yaml")
    assert done.code == code, done.terminal
    assert "Change this?" in done.terminal
    assert bool(place.server.changes) is put


@pytest.mark.parametrize("words", [("enable", "--yes"), ("status",)])
def test_a_bucket_that_is_not_there_is_said_in_a_sentence(place, words):
    place.configure("s3://no-such-bucket-here")
    done = place.recon(*words)
    assert done.exit_code == 1
    assert "there is no such bucket" in done.output.lower()
    assert "Traceback" not in done.output


def test_a_folder_has_no_aws_to_set_up(place):
    place.configure("file:///lake")
    done = place.recon("enable", "--yes")
    assert done.exit_code == 2
    assert "file:///lake is a folder" in done.stderr


def test_json_asks_on_stderr_and_keeps_stdout_to_one_object(place):
    done = place.recon("enable", "--json", "--yes")
    assert json.loads(done.stdout)["destination"] == f"s3://{place.bucket}/inventory-reports"
    assert done.stderr == ""


def test_status_for_people_says_what_is_wrong_and_what_to_do(place):
    done = place.recon("status")
    assert done.exit_code == 1
    assert "PROBLEM  no configuration" in done.stdout
    assert "→ put it: recon s3-inventory enable" in done.stdout
