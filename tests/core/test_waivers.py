"""Declared absences: which keys they cover, for how long, and which of them cover nothing."""

from datetime import date

import numpy as np
import pytest
from declared import NOW, binding, bound_type, catalog, dataset

from recon.core.bound import BoundType
from recon.core.domain import Domain
from recon.core.inventory import Waiver
from recon.core.waivers import idle_waivers, known_absent, waiver_of

DIMENSIONS = {
    "season": {"seasons": "2023-24..2025-26"},
    "team": {"values": ["ATL", "BOS"]},
    "n": {"integers": "1..3", "width": 3},
}
BOUND = binding(
    dataset("a/{season}/{team}", name="s.exact"),
    dataset("b/{n}", name="s.padded"),
    dataset("c/{season}/{id}", name="s.many", expected_per=("season", 9)),
    dimensions=DIMENSIONS,
).types
DOMAINS = [Domain(bound, bound.expectations[0]) for bound in BOUND]
EXACT, PADDED, MANY = DOMAINS


def waiver(key=None, name="s.exact", until=None, **fields):
    source, data_type = (None, None) if key else name.split(".")
    return Waiver("i:1:1", "why", key, source, data_type, tuple(fields.items()), until)


def waived(domain, *waivers):
    bits = known_absent(domain, waivers, NOW)
    return domain.decode(np.array(bits.to_array(), dtype=np.int64)).to_list()


def told(*waivers, skipped=()):
    return [notice.message for notice in idle_waivers(waivers, DOMAINS, skipped)]


@pytest.mark.parametrize(
    ("one", "keys"),
    [
        (waiver("a/2023-24/BOS"), ["a/2023-24/BOS"]),
        (waiver(season="2023-24"), ["a/2023-24/ATL", "a/2023-24/BOS"]),
        (waiver(season="2023-24", team="BOS"), ["a/2023-24/BOS"]),
        (waiver(name="s.many", season="2023-24"), []),
        (waiver(town="BOS"), []),
    ],
)
def test_a_waiver_names_a_key_or_every_key_whose_fields_have_its_values(one, keys):
    assert waived(EXACT, one) == keys


def test_a_waiver_without_where_names_the_whole_type():
    assert len(waived(EXACT, waiver())) == EXACT.size


@pytest.mark.parametrize("text", ["2", "002"])
def test_an_integer_may_be_written_without_its_zeros(text):
    assert waived(PADDED, waiver(name="s.padded", n=text)) == ["b/002"]


@pytest.mark.parametrize(
    ("until", "stands"), [(None, True), (date(2025, 11, 1), True), (date(2025, 10, 31), False)]
)
def test_until_is_inclusive_and_without_it_a_waiver_stands(until, stands):
    one = waiver("a/2023-24/BOS", until=until)
    assert bool(waived(EXACT, one)) is stands
    assert (waiver_of(EXACT, "a/2023-24/BOS", [one], NOW) is one) is stands


def test_a_counted_type_can_be_waived_by_partition_but_not_by_key():
    assert len(known_absent(MANY, [waiver(name="s.many", season="2023-24")], NOW)) == 1
    assert len(known_absent(MANY, [waiver("c/2023-24/x")], NOW)) == 0


def test_the_waiver_of_a_key_is_the_first_that_names_it():
    wide, narrow = waiver(season="2023-24"), waiver("a/2023-24/BOS")
    assert waiver_of(EXACT, "a/2023-24/BOS", [narrow, wide], NOW) is narrow
    assert waiver_of(EXACT, "a/2023-24/ATL", [narrow, wide], NOW) is wide
    assert waiver_of(EXACT, "a/2024-25/ATL", [narrow, wide], NOW) is None


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (waiver("a/2023-24/DEN"), "matches nothing: no data type expects the key 'a/2023-24/DEN'"),
        (waiver(season="1999-00"), "matches nothing: s.exact expects no key of season=1999-00"),
        (waiver(saeson="2023-24"), "s.exact does not enumerate 'saeson'; did you mean 'season'?"),
        (waiver("c/2023-24/x"), "has no effect: s.many counts its objects and expects no single key"),
    ],
)
def test_a_waiver_that_matches_nothing_is_noted(one, said):
    (message,) = told(one)
    assert said in message


def test_waivers_that_match_something_are_not_noted_even_after_their_end():
    assert (
        told(waiver("b/001", until=date(2020, 1, 1)), waiver(), waiver(name="s.many", season="2023-24")) == []
    )


def test_nothing_is_said_of_a_type_whose_catalog_could_not_be_read():
    skipped = BoundType(dataset("d/{id}", name="s.gone"), (), skipped="catalog 'x' could not be read")
    gone = waiver(name="s.gone", season="2023-24")
    assert told(gone, waiver("d/1"), skipped=[skipped]) == []
    assert len(told(waiver(season="1999-00"), skipped=[skipped])) == 1


def test_values_of_one_row_must_be_equal_together():
    games = catalog("games", {"id": ["1", "2"], "team": ["ATL", "BOS"]})
    bound = bound_type(dataset("g/{id}", name="s.rows", for_each="games"), catalogs=[games])
    rows = [Domain(bound, bound.expectations[0])]
    assert idle_waivers([waiver(name="s.rows", id="1", team="ATL")], rows, ()) == []
    assert len(idle_waivers([waiver(name="s.rows", id="1", team="BOS")], rows, ())) == 1


def test_a_life_span_decides_what_there_is_to_waive():
    stations = catalog("st", {"id": ["a"], "opened": ["2025-10-03"]}, starts="opened")
    days = {"day": {"every": "day", "start": "2025-10-01", "end": "2025-10-05"}}
    bound = bound_type(
        dataset("s/{id}/{day}", name="s.rows", for_each="st"), dimensions=days, catalogs=[stations]
    )
    rows = [Domain(bound, bound.expectations[0])]
    assert idle_waivers([waiver(name="s.rows", day="2025-10-03")], rows, ()) == []
    assert len(idle_waivers([waiver(name="s.rows", day="2025-10-02")], rows, ())) == 1
