"""A key belongs to the first pattern of its data type that fits it, whichever kind that is."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from declared import NOW, binding, bound_type, dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.core.domain import Domain
from recon.core.inventory import PatternSpec
from recon.core.sketcher import Sketcher
from recon.model import Kind

VALUES = {"d": ["a", "b"], "e": ["b", "ab"]}
DIMENSIONS = {name: {"values": values} for name, values in VALUES.items()}
TEXTS = ["".join(letters) for length in (1, 2, 3) for letters in product("ab-", repeat=length)]
UNIVERSE = sorted([*TEXTS, *("/".join(pair) for pair in product(TEXTS, repeat=2))])
SEGMENTS = ["a", "b", "ab", "{d}", "{e}", "{d}{e}", "{w}", "{v}", "a{w}", "{w}b", "{d}-{w}", "{w}{d}"]
SEGMENTS += ["{w}{d}{v}", "{w}-{w}", "{w}{v}", "{w}{e}{v}", "{e}{w}{e}"]


def domains(*patterns: str | PatternSpec, name: str = "src.kind") -> list[Domain]:
    bound = bound_type(dataset(*patterns, name=name), dimensions=DIMENSIONS)
    return [Domain(bound, expectation) for expectation in bound.expectations]


def fits(pattern: str) -> re.Pattern[str]:
    """Return the plain reading of a pattern: alternatives for names with values, else anything but '/'."""
    seen = set()

    def piece(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{'|'.join(VALUES.get(name, ['[^/]+']))})"

    return re.compile(re.sub(r"\{(\w)\}", piece, pattern))


def owners(patterns: list[str]) -> dict[str, str]:
    """Return each key of the universe that some pattern fits, with the first that does."""
    readings = [(pattern, fits(pattern)) for pattern in patterns]
    first = {key: next((p for p, reading in readings if reading.fullmatch(key)), "") for key in UNIVERSE}
    return {key: pattern for key, pattern in first.items() if pattern}


@st.composite
def specs(draw) -> PatternSpec:
    text = "/".join(draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=2)))
    return PatternSpec(text, "i.yaml:1:1", expected_count=draw(st.sampled_from([None, 3])))


several = st.lists(specs(), min_size=1, max_size=5, unique_by=lambda spec: spec.text)


@settings(max_examples=150, deadline=None)
@given(several)
def test_every_key_is_claimed_once_by_the_first_pattern_that_fits(patterns):
    wanted = owners([spec.text for spec in patterns])
    found: dict[str, str] = {}
    for domain in domains(*patterns):
        ordinals = domain.encode(pl.Series(UNIVERSE))
        own = np.flatnonzero(ordinals >= 0)
        for place, text in zip(own, domain.pattern_texts(ordinals[own]), strict=True):
            assert UNIVERSE[place] not in found
            found[UNIVERSE[place]] = text
        if domain.kind is Kind.EXACT:
            expected = domain.decode(np.array(domain.expected.to_array(), dtype=np.int64)).to_list()
            mine = {block.pattern.spec.text for block in domain.blocks}
            assert sorted(expected) == [key for key in UNIVERSE if wanted.get(key) in mine]
    assert found == wanted


@settings(max_examples=60, deadline=None)
@given(several, st.sets(st.sampled_from(UNIVERSE), max_size=60), st.booleans())
def test_a_sketch_counts_each_object_once_where_its_first_pattern_is_judged(patterns, lake, ascending):
    keys = sorted(lake, reverse=not ascending)
    own = domains(*patterns)
    sketcher = Sketcher(own, NOW)
    stamp = int(NOW.astype("datetime64[ms]").astype(int))
    sizes, mtimes = pa.array([1] * len(keys), pa.int64()), pa.array([stamp] * len(keys), pa.int64())
    columns = {"key": pa.array(keys, pa.string()), "size": sizes, "mtime": mtimes}
    sketcher.add(pa.table(columns), ascending=ascending)
    wanted = owners([spec.text for spec in patterns])
    seen = sketcher.domains()
    for number, domain in enumerate(own):
        mine = {block.pattern.spec.text for block in domain.blocks}
        objects = int(seen[number].tally.objects.sum()) if number in seen else 0
        assert objects == sum(wanted.get(key) in mine for key in lake)
    assert sketcher.unexpected == sum(key not in wanted for key in lake)


def test_exact_keys_behind_a_wildcard_are_not_missing_and_that_is_told():
    wild, exact = domains("s/{d}/{w}", "s/{d}/a")
    assert exact.encode(pl.Series(["s/a/a"])).tolist() == [-1]
    assert len(exact.expected) == 0
    (notice,) = exact.notices
    assert notice.message == (
        "src.kind: 2 of 2 keys of 's/{d}/a' fit 's/{d}/{w}' too, which stands before it and has them: "
        "they are not expected one by one. Write 's/{d}/a' first"
    )
    assert wild.encode(pl.Series(["s/a/a", "s/a/x"])).tolist() == [0, 0]


def test_an_exact_pattern_before_a_wildcard_keeps_its_keys_and_nothing_is_told():
    exact, wild = domains("s/{d}/a", "s/{d}/{w}")
    keys = pl.Series(["s/a/a", "s/b/a", "s/b/x"])
    assert exact.encode(keys).tolist() == [0, 1, -1]
    assert wild.encode(keys).tolist() == [-1, -1, 1]
    assert exact.notices == wild.notices == []


def test_a_pattern_between_two_of_one_group_comes_before_the_second_of_them():
    numbered = PatternSpec("x/a{w}", "i.yaml:1:1", expected_count=2)
    declared = domains("x/b{w}", numbered, "x/{v}")
    claims = [domain.encode(pl.Series(["x/bb", "x/ab", "x/-b"])).tolist() for domain in declared]
    assert claims == [[0, -1, 1], [-1, 0, -1]]


@pytest.mark.parametrize("patterns", [("a/{w}", "b/{d}"), ("a/{d}.json", "a/{w}.csv"), ("a/{w}", "a/{d}/b")])
def test_patterns_that_can_share_no_key_are_not_compared(patterns):
    for domain in domains(*patterns):
        assert not any(domain._rivals)


def test_two_types_keep_their_own_order():
    left, right = dataset("x/{w}", "x/a", name="s.l"), dataset("y/a", "y/{w}", name="s.r")
    types = binding(left, right, dimensions=DIMENSIONS).types
    (_, late), (early, _) = ([Domain(t, expectation) for expectation in t.expectations] for t in types)
    assert (len(late.expected), len(early.expected)) == (0, 1)
