from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.errors import ConfigError
from recon.strict_yaml import MAX_BYTES, MAX_VALUES, as_written, parse_document, plain, read_document


def value_of(text: str):
    document = parse_document(text.encode(), "f.yaml")
    assert document.problems == ()
    return plain(document.value)


def failure_of(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        parse_document(content, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    "lexeme",
    [
        "0022300001", "NO", "no", "yes", "on", "off", "12:30", "1:20:30", "2024-25", "2024-01-01", "0x1F",
        "0o17", ".nan", ".inf", "-.inf", "nan", "1_000", "01", "-01", "00", "1e9999", "=", "1.2.3", "+", ".",
        "e3", "007.5", "2024-01-01T00:00Z", "9" * 25, "tRuE",
    ],
)  # fmt: skip
def test_what_only_looks_like_another_type_stays_text(lexeme):
    assert value_of(f"a: {lexeme}") == {"a": lexeme}


@pytest.mark.parametrize(
    ("lexeme", "value"),
    [
        ("7", 7), ("-7", -7), ("+7", 7), ("0", 0), ("0.10", 0.1), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0),
        ("-0.5", -0.5), ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None),
        ("", None),
    ],
)  # fmt: skip
def test_plain_scalars_resolve_as_in_yaml_1_2(lexeme, value):
    found = value_of(f"a: {lexeme}")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("lexeme", ["7", "true", "null", "1e3", "~"])
def test_a_quoted_scalar_is_text(lexeme):
    assert value_of(f"a: '{lexeme}'\nb: \"{lexeme}\"\nc: |-\n  {lexeme}") == {
        "a": lexeme,
        "b": lexeme,
        "c": lexeme,
    }


@pytest.mark.parametrize("lexeme", ["7", "+7", "1e3", "0.10", "-0"])
def test_a_number_keeps_the_text_it_was_written_with(lexeme):
    assert as_written(parse_document(f"a: {lexeme}".encode(), "f").value["a"]) == lexeme


def test_keys_are_text_as_written():
    assert value_of("2004: a\n1e3: b\ntrue: c\nnull: d") == {
        "2004": "a",
        "1e3": "b",
        "true": "c",
        "null": "d",
    }


def test_every_value_and_key_has_its_line_and_column():
    document = parse_document("é: {b: [x, {c: 1}]}\nd:\n  - e\n".encode(), "f.yaml")
    assert document.where(("é", "b", 1, "c")) == "f.yaml:1:16"
    assert document.where(("é", "b", 1, "c"), key=True) == "f.yaml:1:13"
    assert document.where(("d", 0)) == "f.yaml:3:5"


def test_the_place_of_what_is_not_there_is_its_nearest_parent():
    document = parse_document(b"a:\n  b: 1\n", "f.yaml")
    assert document.where(("a", "nope", 3)) == "f.yaml:2:3"


def test_positions_survive_crlf_and_a_byte_order_mark():
    document = parse_document(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n", "f.yaml")
    assert document.value == {"a": 1, "b": {"c": 2}}
    assert document.where(("a",), key=True) == "f.yaml:1:1"
    assert document.where(("b", "c")) == "f.yaml:3:6"


def test_an_empty_file_is_nothing():
    assert parse_document(b"", "f").value is None
    assert parse_document(b"# only a comment\n", "f").value is None


def test_duplicate_keys_are_problems_that_name_both_places():
    document = parse_document(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "f.yaml")
    assert document.problems == (
        "f.yaml:4:3: duplicate key 'c'; it is first written at line 3, keep one",
        "f.yaml:5:1: duplicate key 'a'; it is first written at line 1, keep one",
    )


@pytest.mark.parametrize(
    "tagged", ["!!python/object/apply:os.system [ls]", "!!str 12", "!mine {a: b}", "! x"]
)
def test_tags_are_problems_and_never_run(tagged):
    document = parse_document(f"a: {tagged}\n".encode(), "f.yaml")
    assert document.problems == ("f.yaml:1:4: tags (!…) are not allowed; write the plain value",)


def test_a_merge_key_is_a_problem():
    document = parse_document(b"a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml")
    assert document.problems[0].startswith("f.yaml:3:3: merge keys (<<) are not read")


def test_a_small_alias_reuses_a_value_and_its_place():
    document = parse_document(b"a: &x [1, 2]\nb: *x\n", "f.yaml")
    assert document.value == {"a": [1, 2], "b": [1, 2]}
    assert document.where(("b", 1)) == "f.yaml:1:11"


def test_an_alias_bomb_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    begun = time.perf_counter()
    message = failure_of("\n".join(lines))
    assert time.perf_counter() - begun < 1
    assert "f.yaml:4:" in message
    assert "aliases expand to more than 10,000 values" in message


def test_an_alias_inside_its_own_value_is_refused():
    assert (
        failure_of("a: &x [1, *x]")
        == "f.yaml:1:11: alias *x stands inside its own value, which would never end"
    )


def test_an_alias_without_an_anchor_is_refused():
    assert failure_of("a: *x") == "f.yaml:1:4: alias *x has no anchor &x above it"


def test_a_file_of_17_mib_is_refused_before_it_is_parsed():
    begun = time.perf_counter()
    assert "larger than 16 MiB" in failure_of(b"a" * (MAX_BYTES + 1024 * 1024))
    assert time.perf_counter() - begun < 0.5


def test_deep_nesting_is_refused():
    assert "nested deeper than 64 levels" in failure_of("[" * 100_000)


def test_too_many_values_are_refused():
    assert f"more than {MAX_VALUES:,} values" in failure_of("[" + "1," * MAX_VALUES + "1]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- b", "f.yaml:2:1: a tab cannot stand here; indent with spaces"),
        ("a: b: c", "f.yaml:1:5: a second ': ' on one line"),
        ("a: @b", "f.yaml:1:4: a text cannot start with '@' unless it is in quotes"),
        ("a: [1", "while parsing a flow sequence from line 1"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document starts here"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be plain text"),
        ("a: 1\nb: x\x07y", "f.yaml:2:5: control character U+0007 is not allowed"),
        ("a: x\x00y", "f.yaml:1:5: control character U+0000 is not allowed"),
    ],
)
def test_what_is_not_yaml_is_said_with_its_place(text, message):
    assert message in failure_of(text)


@pytest.mark.parametrize("content", [b"a: 1\nb: \xff\xfe", "a: 1".encode("utf-16")])
def test_what_is_not_utf8_is_said_with_its_place(content):
    assert "not UTF-8 text" in failure_of(content)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"nope\.yaml: no such file"):
        read_document(tmp_path / "nope.yaml", "nope.yaml")


def test_an_unreadable_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_document(tmp_path)


PRINTABLE = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cc", "Cs"]))
JSON_KEYS = st.text("abcXYZ01 :#-'", max_size=6)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES)
@settings(max_examples=150, deadline=None)
def test_json_reads_as_what_it_is(value):
    assert value_of(json.dumps(value, ensure_ascii=True)) == value


@given(st.binary(max_size=200) | st.text("a:-[]{}&*!|>'\"#%@,? \n\t01", max_size=80).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_document_or_a_config_error(content):
    try:
        name = parse_document(content, "f.yaml").name
    except ConfigError as error:
        name = error.problems[0]
    assert name.startswith("f.yaml")
