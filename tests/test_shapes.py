from __future__ import annotations

from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from recon.core.invalid import InvalidValueError
from recon.errors import ConfigError
from recon.shapes import (
    Count,
    Duration,
    Shape,
    Text,
    described,
    in_file_order,
    json_schema,
    parsed,
    shaped,
)
from recon.strict_yaml import parse_document


class Inner(Shape):
    size: Count = 0


class Outer(Shape):
    family: ClassVar[str] = "per_*_now"

    name: Text
    inner: dict[Text, tuple[Inner, ...]] | None = None
    wait_s: Duration = Field(0.0, alias="wait")
    per: dict[Text, Count] = Field(default_factory=dict, alias="per_*_now")


def read(text: str) -> Outer:
    return shaped(Outer, parse_document(text.encode(), "f.yaml"))


def problem_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (line,) = caught.value.problems
    return line


def test_keys_of_a_family_are_gathered_by_what_their_star_stands_for():
    assert read("name: x\nper_day_now: 3\nper_a_b_now: 4").per == {"day": 3, "a_b": 4}


def test_a_problem_inside_a_family_is_placed_at_its_key():
    assert problem_of("name: x\nper_day_now: -3") == "f.yaml:2:14: expected a number of at least 0, got -3"


def test_an_unknown_key_deep_inside_is_compared_with_its_own_mappings_keys():
    said = problem_of("name: x\ninner: {a: [{size: 1}, {siez: 1}]}")
    assert said == "f.yaml:2:25: unknown key 'siez'; did you mean 'size'?"


def test_a_number_is_text_as_written_where_text_is_wanted():
    assert read("name: 1e3").name == "1e3"


def test_true_is_no_text_and_the_hint_is_to_quote_it():
    assert problem_of("name: true") == "f.yaml:1:7: expected text, got true; put the text in quotes"


def test_a_duration_is_read_into_seconds():
    assert read("name: x\nwait: 6h").wait_s == 21600.0


def refuse(value: object) -> object:
    raise InvalidValueError(f"not {value}", ("a", 1))


class Parsing(Shape):
    value: Annotated[object, parsed(refuse)] = None


def test_what_a_parser_of_core_refuses_is_placed_inside_its_value():
    with pytest.raises(ConfigError) as caught:
        shaped(Parsing, parse_document(b"value: {a: [5, 6]}", "f.yaml"))
    assert caught.value.problems == ["f.yaml:1:16: not {'a': [5, 6]}"]


def test_lines_are_said_once_in_file_order():
    lines = ["f:10:1: a", "f:2:5: b", "f:2:10: c", "f:2:5: b", "f: d"]
    assert in_file_order(lines) == ["f: d", "f:2:5: b", "f:2:10: c", "f:10:1: a"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "nothing"), (True, "true"), ([], "an empty list"), ([1], "a list"), ({}, "an empty mapping"),
     ({"a": 1}, "a mapping"), ("a\n", '"a\\n"'), (5, "5"), ("x" * 100, '"' + "x" * 56 + "…")],
)  # fmt: skip
def test_a_value_is_described_in_a_persons_words(value, said):
    assert described(value) == said


def test_the_schema_opens_families_and_makes_up_no_titles():
    schema = json_schema(Outer, "outer")
    assert schema["patternProperties"] == {"^per_.+_now$": {"minimum": 0, "type": "integer"}}
    assert "title" not in schema["properties"]["name"]
    assert (schema["title"], schema["additionalProperties"]) == ("outer", False)
