"""What ``recon explain`` says of a key after a cycle."""

import json
import os

import pytest
from engine_place import EnginePlace

INVENTORY = """
dimensions: {season: {seasons: "2019-20..2021-22"}}
expected_coverage:
  nba:
    data_types:
      stats: {path_patterns: ["stats/{season}.json"]}
known_absent:
  - {key: "stats/2020-21.json", reason: "lost in a fire", by: data-team, until: 2999-12-31}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    (folder / "config").mkdir()
    (folder / "lake/stats").mkdir(parents=True)
    (folder / "lake/stats/2021-22.json").write_text("{}")
    (folder / "config/inventory.yaml").write_text(INVENTORY)
    (folder / "config/recon.yaml").write_text(f"lake: file://{folder}/lake\n")
    found = EnginePlace(folder)
    found.run("--inline")
    yield found
    found.recon("down")


def explained(place, key):
    return json.loads(place.recon("explain", key, "--json").stdout)


def test_a_waived_key_is_told_with_its_reason_and_its_line(place):
    found = explained(place, "stats/2020-21.json")
    assert found["verdict"] == "known_absent"
    assert found["why"].startswith("waived until 2999-12-31: lost in a fire, by data-team (")
    assert found["why"].endswith("inventory.yaml:8:5)")


def test_a_missing_key_is_told_with_its_rule_and_the_rule_s_values(place):
    found = explained(place, "stats/2019-20.json")
    assert (found["verdict"], found["priority"]) == ("missing", "medium")
    assert found["rule"] == (
        "of a medium-priority season, or a step of the last two years "
        "(season 2019-20, the current one is 2021-22)"
    )


def test_a_key_is_one_line_whatever_is_in_it(place):
    for key in (b"a\nb", b"\xc2\x9b2J", b"a\xe2\x80\xa8b", b"\xff"):
        text = os.fsdecode(key)
        done = place.recon("explain", text)
        assert done.returncode == 0
        assert [line.split(": ")[0] for line in done.stdout.splitlines()] == ["key", "verdict", "why"]
        assert json.loads(done.stdout.splitlines()[0].removeprefix("key: ")) == text
        assert explained(place, text)["key"] == text
