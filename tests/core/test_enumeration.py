import pytest
from declared import NOW, bound_pattern, catalog, dataset, inventory

from recon.core.axis import AxisKind
from recon.core.dimensions import parse_seasons
from recon.core.enumeration import Enumeration, literal_segments, summary
from recon.core.invalid import InvalidValueError
from recon.core.pattern import parse_template


def axes(declared, pattern, dimensions=None, catalogs=()):
    loaded = {item.spec.name: item for item in catalogs}
    enumeration = Enumeration(inventory(declared, dimensions=dimensions, catalogs=catalogs), loaded, NOW)
    return enumeration.axes(declared, parse_template(pattern))


def texts(declared, pattern, **options):
    (only,) = axes(declared, pattern, **options)
    return only.texts(only.fields[0]).to_list()


NEW_YEAR = {"start": "2024-01-01", "end": "2024-01-02"}
SEASONS = parse_seasons("2020..2023")


def test_a_column_goes_before_a_dimension_and_a_dimension_before_seasons():
    games = catalog("games", {"season": ["2001"], "id": ["a"]})
    dimension = {"season": {"values": ["spring"]}}
    declared = dataset("{season}", for_each="games", seasons=SEASONS)
    assert axes(declared, "{season}", dimension, [games])[0].kind is AxisKind.ROWS
    assert axes(dataset("{season}", seasons=SEASONS), "{season}", dimension)[0].kind is AxisKind.VALUE
    assert axes(dataset("{season}", seasons=SEASONS), "{season}")[0].kind is AxisKind.INTEGER


def test_season_and_year_of_one_pattern_are_one_axis():
    (only,) = axes(dataset("x", seasons=SEASONS), "{year}/{season}.json")
    assert only.fields == ("year", "season")
    assert only.size == 4


def test_the_columns_of_one_row_are_one_axis():
    games = catalog("games", {"season": ["2023"], "id": ["a"]})
    assert len(axes(dataset("x", for_each="games"), "{season}/{id}", catalogs=[games])) == 1


def test_a_type_s_seasons_narrow_the_source_s():
    assert texts(dataset("x", seasons=SEASONS, type_seasons=parse_seasons("2022-2024")), "{season}") == [
        "2022",
        "2023",
    ]


def test_a_type_s_seasons_narrow_a_dimension_and_a_catalog_too():
    declared = dataset("x", type_seasons=parse_seasons("2022"), for_each="games")
    games = catalog("games", {"season": ["2021", "2022"], "id": ["a", "b"]})
    assert texts(
        declared, "{year}", dimensions={"year": {"integers": "2020..2022", "width": 6}}, catalogs=[games]
    ) == ["002022"]
    (rows,) = axes(declared, "{id}", catalogs=[games])
    assert rows.texts("id").to_list() == ["b"]


def test_a_type_s_seasons_stand_alone_where_the_source_has_none():
    assert texts(dataset("x", type_seasons=parse_seasons("2022")), "{season}") == ["2022"]


def test_seasons_that_leave_nothing_are_refused():
    with pytest.raises(InvalidValueError, match="leave nothing of 'season', which has 4 values"):
        axes(dataset("x", seasons=SEASONS, type_seasons=parse_seasons("1990")), "{season}")


@pytest.mark.parametrize(
    ("name", "left_out", "dimensions", "rest"),
    [
        ("season", ("2021", "2023"), None, ["2020", "2022"]),
        ("team", ("ATL",), {"team": {"values": ["ATL", "BOS"]}}, ["BOS"]),
        ("day", ("2024-01-02",), {"day": {"every": "day", **NEW_YEAR}}, ["2024-01-01"]),
        ("h", ("2024-01-01",), {"h": {"every": "12h", **NEW_YEAR}}, ["2024-01-02T00", "2024-01-02T12"]),
    ],
)  # fmt: skip
def test_except_leaves_values_out(name, left_out, dimensions, rest):
    declared = dataset("x", seasons=SEASONS, except_values=((name, left_out),))
    assert texts(declared, f"{{{name}}}", dimensions=dimensions) == rest


def test_except_leaves_rows_out_by_any_column():
    games = catalog("games", {"team": ["ATL", "BOS"], "id": ["a", "b"]})
    assert (
        bound_pattern(
            dataset("g/{id}", for_each="games", except_values=(("team", ("ATL",)),)), catalogs=[games]
        )
        .axes[0]
        .size
        == 1
    )


def test_patterns_that_ask_for_the_same_share_an_axis():
    declared = dataset("x", seasons=parse_seasons({"nba": "2020..2022", "aba": "1970"}))
    enumeration = Enumeration(inventory(declared), {}, NOW)
    one = enumeration.axes(declared, parse_template("nba/a/{season}"))
    other = enumeration.axes(declared, parse_template("nba/b/{season}"))
    league = enumeration.axes(declared, parse_template("aba/b/{season}"))
    assert one[0] is other[0]
    assert league[0].texts("season").to_list() == ["1970"]


def test_a_dimension_without_values_is_refused_and_says_why():
    with pytest.raises(
        InvalidValueError,
        match="'day' has no values; its start, 2026-01-01 00:00:00, lies after its end, now",
    ):
        axes(dataset("x"), "{day}", dimensions={"day": {"every": "day", "start": "2026-01-01"}})


def test_only_whole_literal_segments_can_name_a_league():
    assert literal_segments(parse_template("a/nba/{x}/nba_{y}/z.json")) == ("a", "nba", "z.json")


def test_an_axis_in_words_shows_its_ends():
    (only,) = axes(dataset("x", seasons=SEASONS), "{season}")
    assert summary(only) == "4 values (2020 … 2023)"


NAMES = parse_seasons("2011-12..2025-26")
YEARS = parse_seasons("2013-2025")


@pytest.mark.parametrize("dimension", [None, {"season": {"seasons": "2011-12..2025-26"}}])
def test_a_type_s_integers_narrow_seasons_to_those_that_end_in_these_years(dimension):
    declared = dataset("x", seasons=NAMES, type_seasons=YEARS, except_values=(("season", ("2020",)),))
    found = texts(declared, "{season}", dimensions=dimension)
    assert (found[0], found[-1], len(found)) == ("2012-13", "2024-25", 12)
    assert "2019-20" not in found


def test_a_type_s_season_names_narrow_integers_the_same_way():
    assert texts(dataset("x", seasons=YEARS, type_seasons=parse_seasons("2019-20")), "{year}") == ["2020"]


def test_each_type_that_asks_for_foreign_seasons_is_known():
    declared = [
        dataset("x", name=f"s.{n}", seasons=SEASONS, type_seasons=parse_seasons("2023-2024")) for n in "ab"
    ]
    enumeration = Enumeration(inventory(*declared), {}, NOW)
    for one in declared:
        enumeration.axes(one, parse_template("{season}"))
    assert enumeration.foreign_seasons == {"s.a": ("2024",), "s.b": ("2024",)}
