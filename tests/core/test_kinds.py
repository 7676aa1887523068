import pytest
from declared import binding, bound_type, catalog, dataset, notices

from recon.core.dimensions import parse_seasons
from recon.core.inventory import PatternSpec
from recon.errors import ConfigError
from recon.model import Kind

SEASONS = parse_seasons("2021..2024")
TEAMS = {"team": {"values": ["ATL", "BOS"]}}
DAY = {"day": {"every": "day", "start": "2024-01-01", "end": "2024-01-10"}}
HOUR = {"hour": {"every": "hour", "start": "2024-01-01", "end": "2024-01-10"}}


def judged(*args, **settings):
    """Return (kind, partition, number, patterns) of each expectation."""
    return [
        (e.kind, e.partition, e.expected, [p.spec.text for p in e.patterns])
        for e in bound_type(*args, **settings).expectations
    ]


def only(*args, **settings):
    (found,) = judged(*args, **settings)
    return found[:3]


def own(text, **settings):
    return PatternSpec(text, "inventory.yaml:1:1", **settings)


# -- exact ----------------------------------------------------------------------------------------------


def test_a_pattern_of_which_all_is_enumerated_is_exact():
    assert only(dataset("a/{season}/{team}", seasons=SEASONS), dimensions=TEAMS) == (
        Kind.EXACT,
        ("season",),
        None,
    )


def test_a_pattern_without_placeholders_is_one_exact_key():
    assert only(dataset("a/all.json")) == (Kind.EXACT, (), None)


@pytest.mark.parametrize(
    ("pattern", "dimensions", "partition"),
    [
        ("{year}/{day}", DAY, ("year",)),
        ("{season}/{day}", DAY, ("season",)),
        ("{team}/{day}", {**DAY, **TEAMS}, ("day",)),
        ("{hour}", HOUR, ("hour",)),
        ("{team}", TEAMS, ()),
    ],
)
def test_the_default_partition_is_season_else_year_else_time(pattern, dimensions, partition):
    assert only(dataset(pattern, seasons=SEASONS), dimensions=dimensions)[1] == partition


@pytest.mark.parametrize(
    ("columns", "spec", "partition"),
    [
        ({"id": ["a"], "season": ["2024"], "team": ["ATL"]}, {"partition": "team"}, ("team",)),
        ({"id": ["a"], "season": ["2024"], "team": ["ATL"]}, {}, ("season",)),
        ({"id": ["a"], "team": ["ATL"]}, {}, ()),
    ],
)
def test_a_catalog_s_partition_column_goes_first(columns, spec, partition):
    assert only(dataset("g/{id}", for_each="g"), catalogs=[catalog("g", columns, **spec)])[1] == partition


def test_a_declared_partition_overrides():
    assert only(dataset("a/{season}/{team}", seasons=SEASONS, partition=("team",)), dimensions=TEAMS)[1] == (
        "team",
    )
    assert only(dataset("a/{season}/{team}", seasons=SEASONS, partition=()), dimensions=TEAMS)[1] == ()


def test_exact_patterns_of_different_partitions_are_judged_apart():
    found = judged(dataset("a/{season}", "b/{team}", "c/{season}", seasons=SEASONS), dimensions=TEAMS)
    assert found == [
        (Kind.EXACT, ("season",), None, ["a/{season}", "c/{season}"]),
        (Kind.EXACT, (), None, ["b/{team}"]),
    ]


def test_a_partition_that_nothing_enumerates_is_an_error():
    with pytest.raises(
        ConfigError, match="partition names 'taem', which nothing enumerates; did you mean 'team'"
    ):
        binding(dataset("a/{team}", partition=("taem",)), dimensions=TEAMS)


# -- the enumeration against the type's own number ------------------------------------------------------


@pytest.mark.parametrize("key", ["expected_years", "expected_file_count"])
def test_an_enumeration_that_agrees_with_its_number_stays_exact(key):
    declared = dataset("a/{year}.json", seasons=SEASONS, **{key: 4})
    assert only(declared)[0] is Kind.EXACT
    assert (
        notices(declared)
        == 'the seasons of src end at 2024, before the current season (2026); use "2021..current"'
    )


def test_years_agree_with_the_number_of_years_too():
    declared = dataset("a/{year}/{team}.json", seasons=SEASONS, expected_years=4)
    assert only(declared, dimensions=TEAMS)[0] is Kind.EXACT


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"expected_years": 2}, "write 'expected_years: 4'"),
        ({"expected_file_count": 3}, "write 'expected_file_counts: {src: {kind: 4}}'"),
        ({"expected_years": 9}, "write 'expected_years: 4'"),
    ],
)
def test_an_enumeration_that_disagrees_is_counted_and_says_how_to_mend_it(settings, line):
    declared = dataset("a/{year}.json", seasons=SEASONS, **settings)
    assert only(declared) == (Kind.COUNTED, (), next(iter(settings.values())))
    assert "its patterns enumerate 4 keys of 'year', 4 values (2021 … 2024)" in notices(declared)
    (said,) = [text for text in notices(declared).splitlines() if text.startswith("src.kind: ")]
    assert said.endswith(line)


def test_a_number_per_value_has_no_effect_on_an_exact_type():
    declared = dataset("a/{season}.json", seasons=SEASONS, expected_per=("season", 9), expected_file_count=77)
    assert only(declared)[0] is Kind.EXACT
    assert "src.kind: expected_per_season has no effect" in notices(declared)


def test_a_life_span_counts_only_the_steps_inside_it():
    stations = catalog("st", {"id": ["a", "b"], "from": ["2024-01-01", "2024-01-10"]}, starts="from")
    declared = dataset("s/{id}/{day}", for_each="st", expected_file_count=11)
    assert only(declared, dimensions=DAY, catalogs=[stations])[0] is Kind.EXACT


# -- counted --------------------------------------------------------------------------------------------


def test_a_number_per_season_counts_each_season():
    assert only(dataset("a/{season}/{id}", seasons=SEASONS, expected_per=("season", 30))) == (
        Kind.COUNTED,
        ("season",),
        30,
    )


def test_a_type_s_number_pools_its_wildcard_patterns():
    (found,) = judged(
        dataset("a/{season}/{id}", "b/{season}/{other}", seasons=SEASONS, expected_per=("season", 30))
    )
    assert found[3] == ["a/{season}/{id}", "b/{season}/{other}"]


def test_a_number_per_season_without_a_season_is_one_total():
    declared = dataset("a/{id}.json", seasons=SEASONS, expected_per=("season", 1320), expected_file_count=5)
    assert only(declared) == (Kind.COUNTED, (), 4 * 1320)


def test_the_total_counts_the_seasons_that_are_left():
    declared = dataset(
        "a/{id}", seasons=SEASONS, type_seasons=parse_seasons("2022..2024"),
        except_values=(("season", ("2023",)),), expected_per=("season", 10),
    )  # fmt: skip
    assert only(declared) == (Kind.COUNTED, (), 20)


def test_a_pattern_without_the_name_is_judged_by_presence_beside_those_that_hold_it():
    declared = dataset("a/{season}/{id}", "b/{id}", seasons=SEASONS, expected_per=("season", 30))
    assert [found[:3] for found in judged(declared)] == [
        (Kind.COUNTED, ("season",), 30),
        (Kind.ANY, (), None),
    ]
    assert "'b/{id}' holds no {season}" in notices(declared)


def test_a_number_per_something_unknown_is_an_error():
    with pytest.raises(
        ConfigError, match=r"inventory.yaml:1:1: src.kind: expected_per_gym: nothing enumerates 'gym'"
    ):
        binding(dataset("a/{id}", expected_per=("gym", 3)))


def test_expected_count_is_per_combination_of_what_is_enumerated():
    declared = dataset("a/{season}/{team}/{id}", seasons=SEASONS, expected_count=5)
    assert only(declared, dimensions=TEAMS) == (Kind.COUNTED, ("season", "team"), 5)


@pytest.mark.parametrize("key", ["expected_years", "expected_file_count"])
def test_years_and_file_counts_are_totals(key):
    assert only(dataset("a/{season}/{id}", seasons=SEASONS, **{key: 63})) == (Kind.COUNTED, (), 63)


def test_the_numbers_have_their_precedence():
    numbers = {
        "expected_per": ("season", 1),
        "expected_count": 2,
        "expected_years": 3,
        "expected_file_count": 4,
    }
    found = []
    while numbers:
        found.append(only(dataset("a/{season}/{id}", seasons=SEASONS, **numbers))[2])
        numbers.pop(next(iter(numbers)))
    assert found == [1, 2, 3, 4]


def test_a_pattern_s_own_number_stands_for_itself():
    declared = dataset(
        own("s/{day}/_SUCCESS"),
        own("s/{day}/part-{n}", expected_per=("day", 8)),
        own("s/{day}/x-{n}"),
        own("s/{day}/y-{n}"),
        expected_file_count=100,
    )
    assert judged(declared, dimensions=DAY) == [
        (Kind.EXACT, ("day",), None, ["s/{day}/_SUCCESS"]),
        (Kind.COUNTED, ("day",), 8, ["s/{day}/part-{n}"]),
        (Kind.COUNTED, (), 100, ["s/{day}/x-{n}", "s/{day}/y-{n}"]),
    ]


def test_a_coarser_partition_adds_the_numbers_up():
    declared = dataset("a/{season}/{team}/{id}", seasons=SEASONS, expected_count=5, partition=("season",))
    assert only(declared, dimensions=TEAMS) == (Kind.COUNTED, ("season",), 10)


def test_a_finer_partition_than_the_number_is_noted_and_not_taken():
    declared = dataset(
        "a/{season}/{team}/{id}", seasons=SEASONS, expected_per=("season", 5), partition=("season", "team")
    )
    assert only(declared, dimensions=TEAMS) == (Kind.COUNTED, ("season",), 5)
    assert "is finer than its number, which counts per season" in notices(declared, dimensions=TEAMS)


# -- any ------------------------------------------------------------------------------------------------


def test_wildcards_without_a_number_want_one_object_per_combination():
    assert only(dataset("a/{season}/{team}/{id}", seasons=SEASONS), dimensions=TEAMS) == (
        Kind.ANY,
        ("season", "team"),
        None,
    )
    assert only(dataset("a/{id}")) == (Kind.ANY, (), None)


def test_presence_may_go_by_a_coarser_partition():
    assert only(dataset("a/{season}/{team}/{id}", seasons=SEASONS, partition=("team",)), dimensions=TEAMS)[
        1
    ] == ("team",)


def test_exact_and_other_patterns_of_one_type_are_judged_apart_in_their_order():
    found = judged(dataset("a/{season}/{id}", "b/{season}", seasons=SEASONS))
    assert [(kind, texts) for kind, _, _, texts in found] == [
        (Kind.ANY, ["a/{season}/{id}"]),
        (Kind.EXACT, ["b/{season}"]),
    ]
