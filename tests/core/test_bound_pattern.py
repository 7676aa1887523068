import numpy as np
import pytest
from declared import NOW, binding, bound_pattern, catalog, dataset, keys, notices

from recon.core.dimensions import parse_seasons
from recon.core.inventory import PatternSpec
from recon.errors import ConfigError

DAYS = {"day": {"every": "day", "start": "2024-01-01", "end": "2024-01-10"}}
LIVES = {
    "id": ["a", "b", "c"],
    "from": ["2024-01-03", "", "2024-02-01"],
    "to": ["2024-01-05", "2024-01-02", ""],
}
STATIONS = catalog("st", LIVES, starts="from", ends="to")


def error(*args, **settings):
    with pytest.raises(ConfigError) as caught:
        binding(*args, **settings)
    (only,) = caught.value.problems
    return only


def test_every_placeholder_is_a_field_of_one_axis_or_a_wildcard():
    bound = bound_pattern(
        dataset("{day:%Y}/{season}/{x}_{y}/{day:%d}", seasons=parse_seasons("2024")), dimensions={**DAYS}
    )
    assert [axis.name for axis in bound.axes] == ["day", "season"]
    assert bound.wildcards == ("x", "y")
    assert bound.enumerated == ("day", "season")
    assert bound.axis_of("season") is bound.axes[1]
    assert bound.axis_of("x") is None


def test_a_pattern_s_own_settings_go_before_its_type_s():
    spec = PatternSpec("a", "i:1:1", min_size_bytes=0, freshness_s=0.0, due_after_s=0.0, required=False)
    bound = bound_pattern(dataset(spec, min_size_bytes=100, freshness_s=9.0, due_after_s=9.0, required=True))
    assert (bound.min_size_bytes, bound.freshness_s, bound.due_after_s, bound.required) == (
        0,
        0.0,
        0.0,
        False,
    )
    bound = bound_pattern(dataset("a", min_size_bytes=100, freshness_s=9.0, due_after_s=8.0, due_at="end"))
    assert (bound.min_size_bytes, bound.freshness_s, bound.due_after_s, bound.required) == (
        100,
        9.0,
        8.0,
        True,
    )
    assert bound.due_edge == "end"


def test_a_row_lives_over_the_steps_between_its_dates():
    spans = bound_pattern(dataset("s/{id}/{day}", for_each="st"), dimensions=DAYS, catalogs=[STATIONS]).spans
    assert (spans.rows, spans.steps) == ("st", "day")
    assert spans.first[:2].tolist() == [2, 0]
    assert spans.count.tolist() == [3, 2, 0]


def test_a_row_lives_over_every_season_that_its_life_touches():
    stations = catalog(
        "st", {"id": ["a"], "from": ["2021-06-01"], "to": ["2022-10-01"]}, starts="from", ends="to"
    )
    declared = dataset("s/{id}/{season}", for_each="st", seasons=parse_seasons("2019-20..2024-25"))
    spans = bound_pattern(declared, catalogs=[stations]).spans
    assert (spans.first.tolist(), spans.count.tolist()) == ([1], [3])


def test_without_steps_a_row_is_expected_from_its_first_day_to_its_last():
    bound = bound_pattern(dataset("s/{id}", for_each="st"), catalogs=[STATIONS])
    assert keys(bound) == ["s/c"]
    assert bound.spans is None
    assert bound.due_by_life
    assert bound.axes[0].due_at[0] <= NOW


def test_a_life_cannot_be_told_from_two_rows_alike():
    twice = catalog("st", {"id": ["a", "a"], "from": ["2024-01-01", "2024-01-05"]}, starts="from")
    told = error(dataset("s/{id}/{day}", for_each="st"), dimensions=DAYS, catalogs=[twice])
    assert "1 rows of catalog 'st' render the same as another row" in told


def test_rows_that_render_alike_are_one_key_and_noted():
    games = catalog("games", {"season": ["2023", "2023", "2024"], "id": ["a", "b", "c"]})
    declared = dataset("g/{season}.json", for_each="games")
    assert keys(bound_pattern(declared, catalogs=[games])) == ["g/2023.json", "g/2024.json"]
    assert "1 of 3 rows of catalog 'games' render the same key as another row" in notices(
        declared, catalogs=[games]
    )


def test_a_name_that_is_no_column_of_a_for_each_type_is_an_error():
    games = catalog("games", {"game_id": ["a"]})
    told = error(dataset("g/{game_idd}", for_each="games"), catalogs=[games])
    assert told.startswith(
        "inventory.yaml:1:1: src.kind: '{game_idd}' in 'g/{game_idd}' is neither a column of 'games'"
    )
    assert told.endswith("did you mean 'game_id'?")


def test_an_empty_cell_that_a_key_or_partition_would_use_is_an_error():
    games = catalog("games", {"id": ["a", ""], "team": ["", "x"], "arena": ["", ""]}, partition="team")
    with pytest.raises(ConfigError) as caught:
        binding(dataset("g/{id}", for_each="games"), catalogs=[games])
    assert [problem.split(": ")[2].split(";")[0] for problem in caught.value.problems] == [
        "column 'id' is empty in row 2", "column 'team' is empty in row 1",
    ]  # fmt: skip
    assert all(problem.startswith("inventory.yaml:9:3: ") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a/{day:%Y-%m}", "cannot tell the steps of 'day' apart"),
        ("a/{day:%Q}", "is no strftime format"),
        ("a/{day:%D}", "which holds a '/'"),
        ("a/{day", "is never closed"),
    ],
)
def test_what_a_pattern_cannot_do_is_an_error_with_its_place(pattern, said):
    told = error(dataset(pattern), dimensions=DAYS)
    assert told.startswith("inventory.yaml:1:1: src.kind: ")
    assert said in told


def test_a_catalog_s_value_with_a_slash_is_an_error():
    games = catalog("games", {"path": ["a/b"]})
    assert "'{path}' has the value 'a/b', which holds a '/'" in error(
        dataset("g/{path}", for_each="games"), catalogs=[games]
    )


def test_clock_changes_merge_into_one_key():
    hours = {
        "h": {"every": "hour", "start": "2024-11-03", "end": "2024-11-03", "timezone": "America/New_York"}
    }
    found = keys(bound_pattern(dataset("e/{h:%Y/%m/%d-%-H}.gz"), dimensions=hours))
    assert len(found) == len(set(found)) == 24
    assert found[0] == "e/2024/11/03-0.gz"


def test_a_million_hours_bind_quickly():
    hours = {"h": {"every": "hour", "start": "1920-01-01T00:00Z"}}
    bound = bound_pattern(dataset("e/{h:%Y}/{h:%m}/{h:%Y-%m-%d-%-H}.gz"), dimensions=hours)
    assert bound.axes[0].size > 900_000
    assert bound.axes[0].starts_at[-1] == np.datetime64("2025-11-01T12:00:00")
