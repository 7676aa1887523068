import pytest
from declared import binding, catalog, dataset, keys
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.core.dimensions import parse_seasons
from recon.errors import ConfigError

DIMENSIONS = {
    "team": {"values": ["ATL", "BOS"]},
    "city": {"values": ["BOS", "LA"]},
    "early": {"every": "day", "start": "2015-01-01", "end": "2015-12-31"},
    "late": {"every": "day", "start": "2015-06-15", "end": "2016-12-31"},
    "monday": {"every": "day", "start": "2015-01-01", "end": "2016-12-31", "only": {"weekdays": ["mon"]}},
    "tuesday": {"every": "day", "start": "2015-01-01", "end": "2016-12-31", "only": {"weekdays": ["tue"]}},
}
GAMES = catalog("games", {"s": ["2023", "2024"], "id": ["a", "b"]})
OTHER = catalog("other", {"s": ["2023", "2024"], "id": ["b", "c"]})


def problems(one, other, **settings):
    declared = [
        dataset(one, name="s.left", where="i.yaml:3:3", **settings.get("left", {})),
        dataset(other, name="s.right", where="i.yaml:5:3", **settings.get("right", {})),
    ]
    try:
        binding(*declared, dimensions=DIMENSIONS, catalogs=settings.get("catalogs", ()))
    except ConfigError as error:
        return error.problems
    return []


def test_two_types_that_can_claim_one_key_are_an_error_naming_both():
    (told,) = problems("a/{team}/{x}.json", "a/{y}/b.json")
    assert told.startswith(
        "i.yaml:5:3: s.right ('a/{y}/b.json') and s.left ('a/{team}/{x}.json', i.yaml:3:3)"
    )
    assert "such as 'a/ATL/b.json'" in told


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a/{team}", "a/{x}"),
        ("a/{team}", "a/{city}"),
        ("a/{x}", "a/{y}"),
        ("{x}/b", "a/{y}"),
        ("all.json", "all.json"),
        ("a/{early:%Y/%m/%d}", "a/{late:%Y/%m/%d}"),
        ("a/{early:%Y/%m/%d}", "a/{x}/{y}/{z}"),
        ("a/{monday:%Y}/{x}/{monday:%m%d}", "a/{late:%Y}/{y}/{late:%m%d}"),
    ],
)
def test_overlaps_are_found(left, right):
    assert len(problems(left, right)) == 1
    assert len(problems(right, left)) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a/{team}.json", "a/{city}.csv"),
        ("a/{team}", "a/{x}/b"),
        ("a/{team}", "a/LA"),
        ("a/{x}.json", "b/{x}.json"),
        ("a/{early:%Y/%m/%d}", "b/{late:%Y/%m/%d}"),
        ("a/{monday:%Y/%m/%d}", "a/{tuesday:%Y/%m/%d}"),
        ("a/{monday:%Y}/{x}/{monday:%m%d}", "a/{tuesday:%Y}/{y}/{tuesday:%m%d}"),
    ],
)
def test_types_that_share_no_key_are_left_alone(left, right):
    assert problems(left, right) == []
    assert problems(right, left) == []


def test_values_left_out_of_one_type_belong_to_the_other():
    assert problems("a/{team}", "a/BOS", left={"except_values": (("team", ("BOS",)),)}) == []


def test_leagues_of_different_years_do_not_overlap():
    seasons = {"seasons": parse_seasons("1946..1948")}
    assert (
        problems("a/{season}.json", "a/{season}.json", left=seasons, right={"seasons": parse_seasons("1949")})
        == []
    )
    assert len(problems("a/{season}.json", "a/{season}.json", left=seasons, right=seasons)) == 1


@pytest.mark.parametrize(("right", "count"), [("a/{s}/{id}", 0), ("a/{id}/x", 0)])
def test_rows_of_a_catalog_go_together(right, count):
    each = {"left": {"for_each": "games"}, "right": {"for_each": "other"}, "catalogs": [GAMES, OTHER]}
    assert len(problems("a/{s}/{id}", right, **each)) == count


def test_rows_that_two_catalogs_share_overlap():
    twin = catalog("other", {"s": ["2025", "2024"], "id": ["a", "b"]})
    (told,) = problems(
        "a/{s}/{id}",
        "a/{s}/{id}",
        left={"for_each": "games"},
        right={"for_each": "other"},
        catalogs=[GAMES, twin],
    )
    assert "such as 'a/2024/b'" in told


def test_within_one_type_overlaps_are_fine():
    binding(dataset("a/{x}.json", "a/{y}.json", "a/b.json"))


def test_each_pair_of_types_is_told_once():
    with pytest.raises(ConfigError) as caught:
        binding(dataset("a/{x}", "a/{y}", name="s.a"), dataset("a/{x}", "a/{z}", name="s.b"))
    assert len(caught.value.problems) == 1


def test_a_hundred_thousand_keys_against_a_wildcard_are_quick():
    many = {"n": {"integers": "0..100000"}, "m": {"integers": "100001..200000"}}
    binding(dataset("a/{n}.json", name="s.a"), dataset("a/{m}.json", name="s.b"), dimensions=many)


_segment = st.sampled_from(
    ["a", "b", "{team}", "{city}", "x{team}", "{city}x", "{team}{city}", "{early:%m}", "{early:%Y%d}"]
)
_text = st.lists(_segment, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None)
@given(_text, _text)
def test_enumerated_types_overlap_exactly_where_their_keys_do(left, right):
    dimensions = {**DIMENSIONS, "early": {"every": "month", "start": "2015-01", "end": "2015-03"}}
    sides = []
    for text in (left, right):
        try:
            (expectation,) = binding(dataset(text), dimensions=dimensions).types[0].expectations
        except ConfigError:  # the pattern cannot tell months apart
            return
        sides.append(set(keys(expectation.patterns[0])))
    try:
        binding(dataset(left, name="s.left"), dataset(right, name="s.right"), dimensions=dimensions)
    except ConfigError:
        assert sides[0] & sides[1]
    else:
        assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        ("a/{x}/{x}", "a/b/c", 0),
        ("a/{x}/{x}", "a/b/b", 1),
        ("a/{x}/{x}", "a/{team}/{city}", 1),
        ("a/{x}/{x}.json", "a/{team}/{city}", 0),
        ("a/{x}/{team}/{x}", "a/b/{city}/b", 1),
        ("a/{x}/{team}/{x}", "a/b/{city}/c", 0),
        ("a/{x}/{x}/{early:%Y%m%d}", "a/b/b/{late:%Y%m%d}", 1),
        ("{early:%Y}/{x}/{x}/{early:%m%d}", "{late:%Y}/b/b/{late:%m%d}", 1),
        ("{monday:%Y}/{x}/{x}/{monday:%m%d}", "{tuesday:%Y}/b/b/{tuesday:%m%d}", 0),
    ],
)
def test_a_wildcard_that_occurs_twice_claims_only_keys_that_repeat_it(left, right, count):
    assert len(problems(left, right)) == len(problems(right, left)) == count


def test_a_pattern_that_cannot_be_read_is_told_among_the_problems():
    long = {"id": {"values": [f"{'x' * (n % 7)}_{n}" for n in range(20_000)]}}
    with pytest.raises(ConfigError) as caught:
        binding(
            dataset("a/{id}_{x}", name="s.a", where="i.yaml:3:3"),
            dataset("a/{team}", name="s.b", where="i.yaml:5:3"),
            dataset("c/{x}", name="s.c"),
            dataset("c/d", name="s.d"),
            dimensions={**long, **DIMENSIONS},
        )
    unreadable, shared = caught.value.problems
    assert unreadable.startswith("i.yaml:3:3: cannot tell where {id} ends")
    assert "can both claim one key, such as 'c/d'" in shared
