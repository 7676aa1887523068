import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.invalid import InvalidValueError
from recon.core.pattern import Placeholder, parse_template


def test_a_template_alternates_literals_and_placeholders():
    template = parse_template("nba/{season}/{game_id}.json")
    assert template.parts == ("nba/", Placeholder("season"), "/", Placeholder("game_id"), ".json")


def test_segments_are_cut_at_slashes_inside_literals():
    template = parse_template("a/b{x}c/d/{y}")
    assert template.segments == (("a",), ("b", Placeholder("x"), "c"), ("d",), (Placeholder("y"),))


def test_an_empty_segment_stays_a_segment():
    assert parse_template("a//{x}/").segments == (("a",), (), (Placeholder("x"),), ())


def test_the_literal_prefix_ends_at_the_first_placeholder():
    assert parse_template("nba/x_{id}.json").literal_prefix == "nba/x_"
    assert parse_template("{id}.json").literal_prefix == ""
    assert parse_template("all/records.json").literal_prefix == "all/records.json"


def test_placeholders_keep_repeats_and_names_do_not():
    template = parse_template("{d:%Y}/{d:%m}/{t}")
    assert template.placeholders == (Placeholder("d", "%Y"), Placeholder("d", "%m"), Placeholder("t"))
    assert template.names == ("d", "t")


def test_a_format_may_hold_colons():
    assert parse_template("{t:%H:%M}").placeholders == (Placeholder("t", "%H:%M"),)


def test_a_strftime_format_with_slashes_becomes_one_placeholder_a_segment():
    template = parse_template("e/{h:%Y/raw/%m/x%d}.gz")
    assert template.segments == (
        ("e",),
        (Placeholder("h", "%Y"),),
        ("raw",),
        (Placeholder("h", "%m"),),
        (Placeholder("h", "x%d"), ".gz"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty pattern"),
        ("a/{x", "'{' at offset 2 is never closed"),
        ("a/x}", "'}' at offset 3 closes nothing"),
        ("a/{{x}}", "'{' at offset 3 inside the placeholder at 2"),
        ("a/{}", "'{}' at offset 2 has no name"),
        ("a/{:%Y}", "has no name"),
        ("a/{0}", "has an odd name"),
        ("a/{two words}", "has an odd name"),
        ("a/{n:03d/}", "only a strftime format may hold '/'"),
        ("/a/{n}", "must be relative to the lake"),
        ("s3://bucket/a", "must be relative to the lake"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused_with_the_place(text, said):
    with pytest.raises(InvalidValueError, match=re.escape(said)):
        parse_template(text)


_literal = st.text(st.characters(exclude_characters="{}:", exclude_categories=["Cs"]), min_size=1, max_size=6)
_name = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)


@given(st.lists(_literal | _name.map(Placeholder), min_size=1, max_size=6))
def test_what_a_template_says_is_what_was_written(parts):
    text = "".join(f"{{{part.name}}}" if isinstance(part, Placeholder) else part for part in parts)
    if text.startswith("/"):
        text = "x" + text
    template = parse_template(text)
    assert "".join(f"{{{p.name}}}" if isinstance(p, Placeholder) else p for p in template.parts) == text
    assert len(template.segments) == text.count("/") + 1
