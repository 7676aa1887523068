"""What ``recon gaps`` prints of keys that no terminal should get as they are."""

from __future__ import annotations

import json

import pytest
from engine_place import EnginePlace

ODD = [
    "line\nbreak",
    "csi\x9b2J",
    "next\x85line",
    "ls\u2028x",
    "ps\u2029x",
    "esc\x1b[2J",
    "plain",
    "é",
    '"q"',
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gaps")
    (folder / "config").mkdir()
    (folder / "lake").mkdir()
    values = json.dumps(ODD)
    types = '{names: {path_patterns: ["odd/{name}"]}, '
    types += 'parts: {path_patterns: ["parts/{name}/{part}"], expected_per_name: 2}}'
    (folder / "config/inventory.yaml").write_text(
        f"dimensions: {{name: {{values: {values}}}}}\nexpected_coverage: {{nba: {{data_types: {types}}}}}\n",
    )
    (folder / "config/recon.yaml").write_text(f"lake: file://{folder}/lake\n")
    found = EnginePlace(folder)
    found.run("--inline")
    yield found
    found.recon("down")


def test_one_key_is_one_line_and_comes_back_whole(place):
    lines = place.recon("gaps", "--keys", "--reason", "missing").stdout.splitlines()
    keys = [line.split("\t")[2] for line in lines]
    read = [json.loads(key) if key.startswith('"') else key for key in keys]
    assert read == sorted((f"odd/{name}" for name in ODD), key=str.encode)
    assert [key for key in keys if not key.startswith('"')] == ['odd/"q"', "odd/plain", "odd/é"]


@pytest.mark.parametrize("words", [("gaps", "--keys"), ("gaps",)])
def test_counted_gaps_and_the_table_are_one_line_each_too(place, words):
    lines = place.recon(*words).stdout.splitlines()
    assert sum("parts" in line for line in lines) == len(ODD)
    assert not any(odd in line for line in lines for odd in "\x1b\x85\x9b\u2028\u2029")


def test_json_holds_the_keys_and_no_control_character(place):
    done = place.recon("gaps", "--keys", "--json", "--reason", "missing")
    assert sorted(item["key"] for item in json.loads(done.stdout)) == sorted(f"odd/{name}" for name in ODD)
    assert not any(odd in done.stdout for odd in "\x1b\x85\x9b\u2028\u2029")
