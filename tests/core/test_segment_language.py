import re
from itertools import product

import pytest
from declared import bound_pattern, dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recon.core.segment_language import Language, common_text, shapes_meet

DIMENSIONS = {
    "team": {"values": ["ATL", "BOS"]},
    "city": {"values": ["BOS", "LA"]},
    "n": {"integers": "1..12"},
    "big": {"integers": "1..6000"},
    "day": {"every": "day", "start": "2024-01-01", "end": "2024-02-10"},
}


def language(text):
    pattern = bound_pattern(dataset(f"x/{text}"), dimensions=DIMENSIONS)
    return Language(pattern, pattern.template.segments[1])


def test_a_segment_without_wildcards_is_all_its_texts():
    assert {"aATL-01.x", "aBOS-12.x"} < set(language("a{team}-{n:02d}.x").texts())
    assert len(language("{team}{n}").texts()) == 24
    assert language("{day:%m}{day:%d}").texts().max() == "0210"
    assert language("{day:%m%d}_{x}").wild


def test_a_segment_without_placeholders_is_its_literal():
    assert language("all.json").literal == "all.json"
    assert language("{team}").literal is None


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        ("a.json", "a.json", "a.json"),
        ("a.json", "b.json", None),
        ("a.json", "{x}.json", "a.json"),
        (".json", "{x}.json", None),
        ("{team}.json", "{city}.json", "BOS.json"),
        ("{team}.json", "{city}.csv", None),
        ("{team}.json", "BOS.json", "BOS.json"),
        ("{team}.json", "B{x}.json", "BOS.json"),
        ("{team}.json", "C{x}.json", None),
        ("{team}{n}", "{city}{x}", "BOS1"),
        ("{team}_{x}", "{city}_{y}", "…"),
        ("{team}_{x}", "LA_{y}", None),
        ("{n:02d}_{x}", "{n}_{x}", "…"),
        ("{n:03d}_{x}", "{n}_{x}", None),
        ("{big}_{x}", "9_{x}", "…"),
        ("{big}_{x}", "{team}-{y}.z", "…"),
        ("{x}.json", "{y}.csv", None),
        ("{x}", "{y}.csv", "…"),
    ],
)
def test_two_segments_have_a_text_in_common_or_not(left, right, common):
    assert common_text(language(left), language(right)) == common
    other = common_text(language(right), language(left))
    assert (other is None) == (common is None)


def as_regex(shape):
    return re.compile("".join(".+" if piece == "" else re.escape(piece) for piece in shape))


def length(shape):
    return sum(len(piece) or 1 for piece in shape)


#: Two shapes that meet have a common text no longer than both together: here, twelve letters.
_shape = st.lists(st.sampled_from(["", "a", "b", "ab", "ba"]), max_size=4).map(tuple)
_shape = _shape.filter(lambda shape: length(shape) <= 6)


@settings(max_examples=150, deadline=None)
@example(("", "a", "ab", ""), ("a", "ab", "ab", ""))
@given(_shape, _shape)
def test_shapes_meet_exactly_where_some_text_fits_both(left, right):
    texts = ["".join(letters) for size in range(13) for letters in product("ab", repeat=size)]
    one, other = as_regex(left), as_regex(right)
    assert shapes_meet(left, right) == any(one.fullmatch(text) and other.fullmatch(text) for text in texts)
