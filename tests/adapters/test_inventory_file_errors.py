from __future__ import annotations

import pytest
from inventory_text import one_type, problems

from recon.adapters.inventory_file import load_inventory
from recon.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holidays.csv: cannot be read: No such file or directory"),
        ("date\nsoon\n", "expected a date such as 2024-12-25 in every row, got 'soon'"),
        ("", "expected a date such as 2024-12-25 in every row, got no dates"),
    ],
)
def test_a_bad_holiday_file_is_placed_at_its_name(tmp_path, content, message):
    if content is not None:
        (tmp_path / "holidays.csv").write_text(content)
    top = "dimensions: {n: {every: day, start: 2024-01-01, except: {file: holidays.csv}}}\n"
    (problem,) = problems(tmp_path, one_type(top=top))
    assert problem.startswith("inventory.yaml:1:64: ")
    assert message in problem


@pytest.mark.parametrize(
    ("setting", "position", "message"),
    [
        ("freshnes_days: 7", "6:9", "unknown key 'freshnes_days'; did you mean 'freshness_days'?"),
        ("FRESHNESS_DAYS: 7", "6:9", "unknown key 'FRESHNESS_DAYS'; did you mean 'freshness_days'?"),
        ("freshness_days: -7", "6:25", "expected a number of at least 0, got -7"),
        ("freshness_days: .nan", "6:25", 'expected a number, got ".nan"'),
        ("freshness_days: 14d", "6:25", 'expected a number, got "14d"'),
        ("freshness_days: '7'", "6:25", 'expected a number, got "7"'),
        ("completeness_threshold: 95", "6:33", "expected a number of at most 1, got 95"),
        ("completeness_threshold: .inf", "6:33", 'expected a number, got ".inf"'),
        ("required: yes", "6:19", 'expected true or false, got "yes"'),
        ("required: 1", "6:19", "expected true or false, got 1"),
        ("batch_size: 0", "6:21", "expected a number of at least 1, got 0"),
        ("batch_size: 1.0", "6:21", "expected a whole number, got 1.0"),
        ("expected_per_season: many", "6:30", 'expected a whole number, got "many"'),
        ("expected_per_season: 0", "6:30", "expected a number of at least 1, got 0"),
        (
            "expected_per_a: 1\nexpected_per_b: 2",
            "7:25",
            "expected_per_a, expected_per_b stand side by side; keep one",
        ),
        ("due_after: 6 hours", "6:20", 'expected a duration such as 90s, 15m, 6h or 14d, got "6 hours"'),
        ("due_after: 90", "6:20", "expected a duration such as 90s, 15m, 6h or 14d, got 90"),
        ("due_after: -6h", "6:20", 'expected a duration such as 90s, 15m, 6h or 14d, got "-6h"'),
        ("due: soon", "6:14", "expected one of 'start' or 'end', got \"soon\""),
        ("priority: HIHG", "6:19", "got \"HIHG\"; did you mean 'HIGH'?"),
        ("seasons: 2024-2020", "6:18", "'2024-2020' runs backwards; write 2020..2024"),
        ("seasons: [2020, {}]", "6:25", "is no season; expected such as 1996-97..current"),
        ("partition: season", "6:20", 'expected a list, got "season"'),
        ("for_each: gamse", "6:19", "no catalog 'gamse' under `catalogs`"),
        (
            "scraper: '{sorce}_x'",
            "6:18",
            "unknown placeholder {sorce} in a scraper's name; did you mean 'source'?",
        ),
        ("scraper: '{source'", "6:18", "unbalanced braces"),
        ("except: [2020]", "6:17", "expected a mapping (lines of `key: value`), got a list"),
        (
            "description: null\ndescription: x",
            "7:9",
            "duplicate key 'description'; it is first written at line 6",
        ),
        ("tier: !!int '3'", "6:15", "tags (!…) are not allowed"),
    ],
)
def test_a_bad_setting_is_said_in_plain_words_at_its_place(tmp_path, setting, position, message):
    (problem,) = problems(tmp_path, one_type(setting))
    assert problem.startswith(f"inventory.yaml:{position}: ")
    assert message in problem


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("[]", "expected at least 1 item(s), got an empty list"),
        ("x/{n}.json", 'expected a list, got "x/{n}.json"'),
        ("['a/{b']", "'{' at offset 2 is never closed"),
        ("['']", "an empty pattern"),
        ("[null]", "expected a mapping (lines of `key: value`), got nothing"),
        ("[{patern: x}]", "unknown key 'patern'; did you mean 'pattern'?"),
        ("[{min_size_bytes: 1}]", "the key 'pattern' is missing here; it is required"),
    ],
)
def test_a_bad_pattern_is_said_in_plain_words(tmp_path, patterns, message):
    found = problems(tmp_path, one_type(patterns=patterns))
    assert any(message in problem for problem in found)
    assert all(problem.startswith("inventory.yaml:5:") for problem in found)


@pytest.mark.parametrize(
    ("top", "position", "message"),
    [
        ("catalogs: {g: {file: a.csv, lake: b.csv}}", "1:15", "expected exactly one of `file`"),
        ("catalogs: {g: {due: x}}", "1:15", "expected exactly one of `file`"),
        ("catalogs: {g: {file: a.csv, form: x}}", "1:29", "unknown key 'form'; did you mean 'from'?"),
        ("known_absent: [{key: x}]", "1:16", "the key 'reason' is missing here; it is required"),
        ("known_absent: [{key: x, source: s, reason: r}]", "1:16", "`key` stands alone"),
        ("known_absent: [{source: src, reason: r}]", "1:16", "expected `key`, or `source` and `data_type`"),
        (
            "known_absent: [{key: x, reason: r, until: 2024-13-01}]",
            "1:43",
            "expected a date such as 2027-01-31",
        ),
        (
            "known_absent: [{source: scr, data_type: kind, reason: r}]",
            "1:16",
            "no source 'scr'; did you mean 'src'?",
        ),
        (
            "known_absent: [{source: src, data_type: kidn, reason: r}]",
            "1:16",
            "no data type 'kidn'; did you mean 'kind'?",
        ),
        ("expected_file_counts: {src: {kidn: 5}}", "1:30", "no data type 'kidn'; did you mean 'kind'?"),
        ("expected_file_counts: {src: {kind: -5}}", "1:36", "expected a number of at least 1, got -5"),
        ("ignore_patterns: '**'", "1:18", 'expected a list, got "**"'),
        ("dimensions: {n: {integer: '1..2'}}", "1:17", "did you mean 'integers'?"),
        ("dimensions: {n: {values: [a, true]}}", "1:30", "'true' is no value"),
        ("dimensions: [a]", "1:13", "expected a mapping of dimensions, got a list"),
        (
            "quality_requirements: {min_file_size_bytes: -1}",
            "1:45",
            "expected a number of at least 0, got -1",
        ),
        ("expected_coverge: {}", "1:1", "unknown key 'expected_coverge'; did you mean 'expected_coverage'?"),
    ],
)
def test_a_bad_section_is_said_in_plain_words_at_its_place(tmp_path, top, position, message):
    (problem,) = problems(tmp_path, one_type(top=f"{top}\n"))
    assert problem.startswith(f"inventory.yaml:{position}: ")
    assert message in problem


def test_every_problem_of_a_file_is_said_at_once_in_file_order(tmp_path):
    text = one_type(
        "freshnes_days: 7\nrequired: maybe\nrequired: true\nbatch_size: -1",
        top="dimensions: {a: {values: []}, b: {integers: x}}\n",
    )
    found = problems(tmp_path, text)
    assert [problem.split(": ")[0] for problem in found] == [
        "inventory.yaml:1:26",
        "inventory.yaml:1:45",
        "inventory.yaml:7:9",
        "inventory.yaml:8:19",
        "inventory.yaml:9:9",
        "inventory.yaml:10:21",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "inventory.yaml:1:1: the file is empty; expected a mapping"),
        ("# nothing yet\n", "inventory.yaml:1:1: the file is empty"),
        ("- a\n- b\n", "inventory.yaml:1:1: expected a mapping (lines of `key: value`), got a list"),
        ("just text", 'inventory.yaml:1:1: expected a mapping (lines of `key: value`), got "just text"'),
        ("version: 1\n", "the key 'expected_coverage' is missing here; it is required"),
        ("expected_coverage: {}\n", "expected at least 1 item(s), got an empty mapping"),
        ("expected_coverage: {a b: {data_types: {k: {path_patterns: [x]}}}}", "expected a name of letters"),
        ("expected_coverage:\n\ta: 1\n", "inventory.yaml:2:1: a tab cannot stand here"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a" * (17 * 1024 * 1024), "larger than 16 MiB"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    assert message in problems(tmp_path, content)[0]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_inventory(tmp_path / "nope.yaml")


def test_no_message_speaks_pydantic(tmp_path):
    text = one_type(
        "required: maybe\nfreshnes: 1\nseasons: {}\nbatch_size: x\npriority: 5", top="catalogs: 5\n"
    )
    said = "\n".join(problems(tmp_path, text)).lower()
    for jargon in (
        "input",
        "valid ",
        "pydantic",
        "value error",
        "str_type",
        "nonetype",
        "dictionary",
        "tuple",
    ):
        assert jargon not in said
