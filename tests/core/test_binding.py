import pytest
from declared import NOW, binding, bound_type, catalog, dataset, inventory

from recon.core.binding import bind
from recon.core.dimensions import parse_seasons
from recon.core.inventory import CatalogSpec, Inventory
from recon.errors import ConfigError
from recon.model import Kind


def test_types_come_back_in_the_order_declared():
    found = binding(dataset("b", name="s.b"), dataset("a", name="s.a"))
    assert [bound.dataset.name for bound in found.types] == ["s.b", "s.a"]


def test_a_type_whose_catalog_could_not_be_read_is_skipped_and_says_so():
    declared = Inventory(
        catalogs=(CatalogSpec("games", "i:1:1", file="games.csv"),),
        datasets=(dataset("g/{id}", for_each="games"),),
    )
    (bound,) = bind(declared, {}, NOW).types
    assert bound.skipped == "catalog 'games' could not be read"
    assert bound.expectations == ()


def test_an_unknown_catalog_is_an_error():
    with pytest.raises(ConfigError, match=r"src.kind: unknown catalog 'gamse'; did you mean 'games'"):
        binding(dataset("g/{id}", for_each="gamse"), catalogs=[catalog("games", {"id": ["a"]})])


def test_every_problem_of_every_type_is_told_at_once():
    games = catalog("games", {"id": ["a"]})
    with pytest.raises(ConfigError) as caught:
        binding(
            dataset("g/{idd}", "g/{x", name="s.a", where="i:1:1", for_each="games"),
            dataset("h/{day}", name="s.b", where="i:2:2"),
            dataset("k/{z}", name="s.c", where="i:3:3", expected_per=("gym", 2)),
            dataset("l/{z}", name="s.d", where="i:4:4"),
            dataset("l/{y}", name="s.e", where="i:5:5"),
            dimensions={"day": {"every": "day", "start": "2030-01-01"}},
            catalogs=[games],
        )
    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert places == [
        "i:1:1",
        "i:1:1",
        "i:2:2",
        "i:3:3",
        "i:5:5",
    ]


def test_an_empty_catalog_expects_nothing():
    bound = bound_type(dataset("g/{id}", for_each="games"), catalogs=[catalog("games", {"id": []})])
    assert bound.expectations[0].patterns[0].axes[0].size == 0


def test_the_owner_s_kinds_of_types_bind_as_the_notes_say():
    nba = parse_seasons([f"{year}-{year - 1999:02d}" for year in range(2000, 2025)])
    leagues = parse_seasons({"nba": "1946-2025", "aba": "1967-1976"})
    years = parse_seasons(["2004", "2005", "2006-2024"])
    stats = ("stats/{season}/{stat_type}.json", "dash/{season}/{team_id}.json")
    found = binding(
        dataset("hoopr/nba_data_{year}.parquet", name="hoopr.pbp", seasons=years, expected_years=21),
        dataset("totals/{year}/t.json", name="bbref.totals", seasons=leagues, expected_years=63),
        dataset("box/advanced_{game_id}.json", name="nba.box", seasons=nba, expected_per=("season", 1320)),
        dataset(*stats, name="nba.team", seasons=nba, expected_per=("season", 30)),
        dataset("cmp/{player1}_{player2}/c.json", name="bbref.cmp"),
    )
    assert [(e.kind, e.partition, e.expected) for bound in found.types for e in bound.expectations] == [
        (Kind.EXACT, ("year",), None),
        (Kind.COUNTED, (), 63),
        (Kind.COUNTED, (), 33000),
        (Kind.COUNTED, ("season",), 30),
        (Kind.ANY, (), None),
    ]


def test_notices_of_reading_are_not_repeated():
    assert bind(inventory(dataset("a")), {}, NOW).notices == ()
