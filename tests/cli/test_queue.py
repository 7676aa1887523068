"""``recon queue`` shows where every task is, and lets a person set tasks, keys and scrapers right."""

from __future__ import annotations

import json

import pytest
from engine_place import EnginePlace

from recon import access
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisLeases
from recon.model import Settlement

INVENTORY = """\
dimensions: {n: {integers: "1..6"}, m: {integers: "1..2"}}
expected_coverage:
  box: {batch_size: 2, data_types: {scores: {path_patterns: ["box/{n}.json"]}}}
  odds: {data_types: {lines: {path_patterns: ["odds/{m}.json"]}}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queue")
    (folder / "config").mkdir()
    (folder / "lake").mkdir()
    (folder / "config/inventory.yaml").write_text(INVENTORY)
    (folder / "config/recon.yaml").write_text(f"lake: file://{folder}/lake\n")
    found = EnginePlace(folder)
    yield found
    found.recon("down")


@pytest.fixture
def place(home, monkeypatch):
    """A lake in which nothing is there, its eight keys just queued: three tasks of box, one of odds."""
    monkeypatch.chdir(home.folder)
    home.run("--inline")
    broker = RedisBroker.connect(access.broker(access.settings(home.folder / "config/recon.yaml")).redis)
    broker.command("FLUSHALL")
    (home.folder / ".recon" / "claims.json").unlink(missing_ok=True)
    home.run("--inline")
    yield home
    broker.close()


@pytest.fixture
def leases(place):
    broker = RedisBroker.connect(access.broker(access.settings(place.folder / "config/recon.yaml")).redis)
    yield RedisLeases(broker)
    broker.close()


def json_of(place, *words, code=0):
    done = place.recon("queue", *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_ls_counts_tasks_by_level_and_state(place, leases):
    leases.lease(1, visibility_s=60)
    found = json_of(place, "ls")
    ready = sum(level["ready"] for level in found["levels"].values())
    leased = sum(level["leased"] for level in found["levels"].values())
    assert (ready, leased, found["dead"], found["paused"]) == (3, 1, 0, {})
    words = place.recon("queue", "ls").stdout
    assert "0 dead, 0 keys quarantined, 0 results to settle" in words


def test_peek_shows_tasks_and_takes_none(place):
    found = json_of(place, "peek", "-n", "2")
    assert len(found) == 2
    assert {"id", "priority", "state", "deliveries", "body"} <= found[0].keys()
    assert json_of(place, "peek") == json_of(place, "peek")
    assert len(json_of(place, "peek", "--state", "leased")) == 0
    assert "box.scores" in place.recon("queue", "peek").stdout


def test_a_task_that_was_given_up_is_listed_with_its_reason_and_begins_anew(place, leases):
    (lease,) = leases.lease(1, visibility_s=60, scrapers=["odds"])
    leases.settle(lease, Settlement.POISON, error="no such season")
    place.run("--inline")
    found = json_of(place, "dead")
    assert [task["reason"] for task in found["tasks"]] == ["no such season"]
    assert {item["key"] for item in found["keys"]} == {"odds/1.json", "odds/2.json"}
    assert "no such season" in place.recon("queue", "dead").stdout
    told = json_of(place, "requeue", "--all")
    assert told[lease.id] == "requeued"
    assert json_of(place, "dead") == {"tasks": [], "keys": []}
    assert len(json_of(place, "peek", "--state", "ready")) == 4


def test_requeue_says_what_it_does_not_know(place):
    assert json_of(place, "requeue", "f" * 32, "no/such.key") == {
        "f" * 32: "unknown",
        "no/such.key": "unknown",
    }
    assert place.recon("queue", "requeue").returncode == 2


def test_a_withdrawn_task_leaves_and_the_next_cycle_wants_it_again(place):
    ident = json_of(place, "peek")[0]["id"]
    assert json_of(place, "withdraw", ident) == {ident: "withdrawn"}
    assert ident not in {task["id"] for task in json_of(place, "peek")}
    place.run("--inline")
    assert ident in {task["id"] for task in json_of(place, "peek")}


def test_a_paused_scraper_gets_no_tasks_until_it_is_resumed(place):
    assert json_of(place, "pause", "odds", "--reason", "its site moves") == {"odds": "paused"}
    scrapers = {task["body"]["scraper"] for task in json_of(place, "peek")}
    assert scrapers == {"box"}
    place.run("--inline")
    assert {task["body"]["scraper"] for task in json_of(place, "peek")} == {"box"}
    assert "its site moves" in place.recon("queue", "ls").stdout
    assert json_of(place, "resume", "odds") == {"odds": "resumed"}
    place.run("--inline")
    assert {task["body"]["scraper"] for task in json_of(place, "peek")} == {"box", "odds"}
    assert json_of(place, "resume", "odds") == {"odds": "it was not paused"}


def test_explain_tells_the_task_that_asks_for_a_key(place, leases):
    (lease,) = leases.lease(1, visibility_s=60, scrapers=["odds"])
    document = json.loads(place.recon("explain", "odds/1.json", "--json").stdout)
    assert document["task"]["id"] == lease.id
    assert document["task"]["state"] == "leased"
    leases.settle(lease, Settlement.DONE)
    place.run("--inline")
    document = json.loads(place.recon("explain", "odds/1.json", "--json").stdout)
    assert document["refuted_claims"]["count"] == 1
    assert document["task"]["state"] == "cooling"


def test_ls_tells_how_scrapers_stand_and_how_long_gaps_were_open(place, leases):
    (lease,) = leases.lease(1, visibility_s=60, scrapers=["odds"])
    for key in json.loads(lease.body)["keys"]:
        (place.folder / "lake" / key).parent.mkdir(exist_ok=True)
        (place.folder / "lake" / key).write_text("x")
    leases.settle(lease, Settlement.DONE)
    place.run("--inline")
    found = json_of(place, "ls")
    assert found["scrapers"]["odds"] == {"filled": 2, "false_claims": 0, "failed": 0, "in_row": 0}
    assert found["time_to_fill"]["tasks"] == 1
    words = place.recon("queue", "ls").stdout
    assert "odds: 2 filled, 0 false claims, 0 failures" in words
    assert "half of the last 1" in words
    for path in (place.folder / "lake").rglob("*.json"):
        path.unlink()
