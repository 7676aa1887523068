import numpy as np
import pytest
from declared import NOW, bound_pattern, catalog, dataset

from recon.core.dimensions import parse_seasons
from recon.core.due import due_at, live

DAYS = {"day": {"every": "day", "start": "2025-10-31", "end": "2025-11-02"}}
GAMES = catalog("games", {"id": ["a", "b"], "on": ["2025-10-30", "2025-11-01"]}, due="on")


def due(*args, **settings):
    decided = due_at(bound_pattern(*args, **settings))
    return decided and decided[1].astype(str).tolist()


def alive(*args, **settings):
    decided = live(bound_pattern(*args, **settings), NOW)
    return decided and decided[1].tolist()


def test_a_step_is_due_at_its_end():
    assert due(dataset("s/{day}"), dimensions=DAYS)[0] == "2025-11-01T00:00:00"


def test_a_row_is_due_at_its_due_column():
    assert due(dataset("g/{id}", for_each="games"), catalogs=[GAMES]) == [
        "2025-10-30T00:00:00",
        "2025-11-01T00:00:00",
    ]


def test_a_season_is_due_when_it_starts():
    assert due(dataset("g/{season}", seasons=parse_seasons("2024-25"))) == ["2024-10-01T00:00:00"]


def test_due_after_is_added():
    assert due(dataset("s/{day}", due_after_s=3600.0), dimensions=DAYS)[0] == "2025-11-01T01:00:00"


@pytest.mark.parametrize(
    ("edge", "first"), [("start", "2025-10-31T00:00:00"), ("end", "2025-11-01T00:00:00")]
)
def test_the_edge_of_a_step_can_be_chosen(edge, first):
    assert due(dataset("s/{day}", due_at=edge), dimensions=DAYS)[0] == first


def test_the_end_of_a_season_can_be_chosen():
    assert due(dataset("g/{season}", seasons=parse_seasons("2024-25"), due_at="end")) == [
        "2025-10-01T00:00:00"
    ]


def test_steps_decide_before_rows_and_rows_before_seasons():
    seasons = parse_seasons("2024-25")
    both = bound_pattern(
        dataset("s/{season}/{id}/{day}", for_each="games", seasons=seasons), dimensions=DAYS, catalogs=[GAMES]
    )
    assert due_at(both)[0] == live(both, NOW)[0] == 2
    rows = bound_pattern(dataset("s/{season}/{id}", for_each="games", seasons=seasons), catalogs=[GAMES])
    assert due_at(rows)[0] == 1


def test_what_has_no_time_is_always_due_and_always_live():
    pattern = bound_pattern(dataset("t/{team}"), dimensions={"team": {"values": ["ATL"]}})
    assert due_at(pattern) is None
    assert live(pattern, NOW) is None


def test_the_step_that_contains_now_is_live():
    assert alive(dataset("s/{day}"), dimensions=DAYS) == [False, True, False]


def test_the_current_season_is_the_greatest_that_has_begun():
    assert alive(dataset("g/{season}", seasons=parse_seasons("2023-24..2024-25"))) == [False, True]
    assert alive(dataset("g/{season}", seasons=parse_seasons("2025..2027"))) == [False, True, False]


def test_a_list_of_seasons_yet_to_come_has_no_live_one():
    assert alive(dataset("g/{season}", seasons=parse_seasons("2030-31"))) == [False]


def test_rows_without_a_season_are_live_on_the_day_they_are_due():
    assert alive(dataset("g/{id}", for_each="games"), catalogs=[GAMES]) == [False, True]


def test_rows_of_the_current_season_are_live():
    games = catalog("games", {"id": ["a", "b"], "season": ["2023-24", "2025-26"]})
    assert alive(dataset("g/{id}", for_each="games"), catalogs=[games]) == [False, True]


def test_rows_that_are_due_by_their_life_alone_are_all_live():
    stations = catalog("st", {"id": ["a", "b"], "from": ["2020-01-01", "2026-01-01"]}, starts="from")
    pattern = bound_pattern(dataset("s/{id}", for_each="st"), catalogs=[stations])
    assert live(pattern, NOW) is None
    assert due_at(pattern)[1][1] == np.datetime64("2026-01-01")
