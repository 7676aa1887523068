"""``recon absent`` keeps the list of keys that are not to be had: who says so, why, and until when."""

from __future__ import annotations

import json

import pytest
from engine_place import EnginePlace

INVENTORY = """\
dimensions: {n: {integers: "1..4"}}
expected_coverage: {box: {data_types: {scores: {path_patterns: ["box/{n}.json"]}}}}
known_absent: [{key: "box/1.json", reason: "never played", by: league}]
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "lake").mkdir()
    (tmp_path / "config/inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config/recon.yaml").write_text(f"lake: file://{tmp_path}/lake\n")
    found = EnginePlace(tmp_path)
    yield found
    found.recon("down")


def json_of(place, *words):
    done = place.recon("absent", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_absence_is_added_counted_listed_and_expired(place):
    place.recon("absent", "add", "box/2.json", "--reason", "lost", "--by", "ann", "--until", "2999-01-01")
    report = place.run("--inline")
    assert (report["verdicts"]["known_absent"], report["verdicts"]["missing"]) == (2, 2)
    declared, added = json_of(place, "ls")
    assert (declared["what"], declared["by"], declared["stands"]) == ("box/1.json", "league", True)
    assert (added["what"], added["by"], added["until"]) == ("box/2.json", "ann", "2999-01-01")
    assert "never played" in place.recon("absent", "ls").stdout
    explained = json.loads(place.recon("explain", "box/2.json", "--json").stdout)
    assert explained["absence"]["by"] == "ann"
    assert json_of(place, "expire", "box/2.json", "box/1.json") == {
        "box/2.json": "expired",
        "box/1.json": "no entry (of inventory.yaml's, edit that file)",
    }
    report = place.run("--inline")
    assert report["verdicts"]["known_absent"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "k", "--reason", "x", "--by", "scrapers"), "name a person"),
        (("add", "k", "--reason", "x", "--by", "ann", "--until", "2001-01-01"), "is past"),
        (("add", "k", "--by", "ann"), "--reason"),
        (("add", "--reason", "x", "--by", "ann"), "KEYS"),
    ],
)
def test_what_cannot_be_declared_is_refused_with_the_reason(place, words, said):
    done = place.recon("absent", *words)
    assert done.returncode == 2
    assert said in done.stderr
