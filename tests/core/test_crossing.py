"""A key has its ordinal in another plan, whatever moved: the same as by rendering and reading it."""

from __future__ import annotations

import pytest
from declared import bound_type, catalog, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from recon.core.block import ordinals_of
from recon.core.crossing import Crossing
from recon.core.domain import Domain

TEAMS = ["ATL", "BOS", "CHI", "DAL"]


def domain(*patterns: str, teams=TEAMS, days=("2025-01-01", "2025-01-05"), rows=None) -> Domain:
    catalogs = []
    settings: dict = {}
    if rows is not None:
        columns = {"station": [row[0] for row in rows], "opened": [row[1] for row in rows]}
        catalogs = [
            catalog(
                "stations",
                {**columns, "closed": [row[2] for row in rows]},
                starts="opened",
                ends="closed",
            )
        ]
        settings = {"for_each": "stations"}
    bound = bound_type(
        dataset(*patterns, **settings),
        dimensions={
            "team": {"values": list(teams)},
            "day": {"every": "day", "start": days[0], "end": days[1]},
            "n": {"integers": "0..4", "width": 2},
        },
        catalogs=catalogs,
    )
    return Domain(bound, bound.expectations[0])


def crosses(here: Domain, there: Domain, bits: BitMap) -> None:
    """Check a crossing against the keys themselves."""
    then = set(here.decode(ordinals_of(bits)).to_list()) if bits else set()
    today = dict(
        zip(
            ordinals_of(there.expected).tolist(),
            there.decode(ordinals_of(there.expected)).to_list(),
            strict=True,
        )
    )
    crossing = Crossing(here, there)
    wanted = {ordinal for ordinal, key in today.items() if key in then}
    assert set(crossing.seen_before(there.expected, bits)) == wanted
    some = BitMap(list(today)[::3])
    assert set(crossing.seen_before(some, bits)) == wanted & set(some)
    assert crossing.still_expected(bits) == len(wanted)


PATTERNS = [("{team}/{day}/{n}.json",), ("{day}/{team}-{n}.json",), ("a/{team}/{n}.json", "b/{day}/{n}.json")]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PATTERNS),
    st.sampled_from(PATTERNS),
    st.lists(st.sampled_from([*TEAMS, "NEW", "OLD"]), min_size=1, max_size=5, unique=True),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.data(),
)
def test_ordinals_cross_as_their_keys_do(before, now, teams, last_days, data):
    here = domain(*before, days=("2025-01-01", f"2025-01-0{last_days[0]}"))
    there = domain(*now, teams=teams, days=("2025-01-01", f"2025-01-0{last_days[1]}"))
    chosen = BitMap(data.draw(st.sets(st.integers(0, here.size - 1))))
    crosses(here, there, chosen & here.expected)


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "2025-01-01", "2025-01-03"), ("b", "2025-01-02", "2025-01-05")],
        [("a", "2025-01-01", "2025-01-05"), ("b", "2025-01-02", "2025-01-05")],
        [("new", "2025-01-01", "2025-01-05"), ("b", "2025-01-04", "2025-01-05")],
        [
            ("b", "2025-01-02", "2025-01-05"),
            ("a", "2025-01-01", "2025-01-03"),
            ("c", "2025-01-01", "2025-01-02"),
        ],
    ],
)
def test_ordinals_inside_life_spans_cross_as_their_keys_do(rows):
    before = [("a", "2025-01-01", "2025-01-03"), ("b", "2025-01-02", "2025-01-05")]
    here, there = domain("{station}/{day}.json", rows=before), domain("{station}/{day}.json", rows=rows)
    crosses(here, there, here.expected)


def test_a_domain_that_grew_at_its_end_keeps_its_ordinals():
    here, there = domain("{day}/{n}.json"), domain("{day}/{n}.json", days=("2025-01-01", "2025-01-09"))
    chosen = BitMap([0, 3, 7])
    assert Crossing(here, there).seen_before(there.expected, chosen) == chosen
    crosses(here, there, chosen)
    crosses(here, there, BitMap())


@pytest.mark.parametrize("turned", [False, True])
def test_keys_that_an_earlier_pattern_takes_cross_to_that_pattern(turned):
    one, two = domain("{team}/{n}.json"), domain("ATL/{n}.json", "{team}/{n}.json")
    here, there = (two, one) if turned else (one, two)
    crosses(here, there, here.expected)
    crosses(two, domain("ATL/{n}.json", "{team}/{n}.json"), two.expected)
