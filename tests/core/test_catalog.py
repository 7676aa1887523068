import numpy as np
import pytest
from declared import NOW, catalog

from recon.core.catalog import empty_cells, lives, rows_axis, still_living
from recon.core.invalid import InvalidValueError

OCTOBER = (10, 1)


def test_the_columns_of_a_catalog_are_the_fields_of_its_rows():
    rows = rows_axis(
        catalog("games", {"game_id": ["0022300001", "0022300002"], "season": ["2023-24", "2023-24"]}), OCTOBER
    )
    assert rows.fields == ("game_id", "season")
    assert rows.texts("game_id").to_list() == ["0022300001", "0022300002"]
    assert rows.values("game_id").to_list() == ["0022300001", "0022300002"]


def test_a_date_column_takes_strftime_and_an_integer_column_a_width():
    rows = rows_axis(catalog("games", {"day": ["2024-01-05"], "n": ["7"]}), OCTOBER)
    assert rows.texts("day", "%Y/%m").to_list() == ["2024/01"]
    assert rows.texts("n", "03d").to_list() == ["007"]


def test_a_bare_due_date_is_its_midnight_in_utc():
    rows = rows_axis(
        catalog("games", {"id": ["a", "b"], "on": ["2024-01-05", "2024-01-05T20:00-05:00"]}, due="on"),
        OCTOBER,
    )
    assert rows.due_at.astype(str).tolist() == ["2024-01-05T00:00:00", "2024-01-06T01:00:00"]


@pytest.mark.parametrize(
    ("column", "values", "begins"),
    [
        ("season", ["2023-24"], "2023-10-01T00:00:00"),
        ("season", ["2024"], "2023-10-01T00:00:00"),
        ("year", ["2024"], "2024-01-01T00:00:00"),
    ],
)
def test_rows_of_a_season_or_year_have_its_interval(column, values, begins):
    rows = rows_axis(catalog("games", {column: values}), OCTOBER)
    assert rows.starts_at.astype(str).tolist() == [begins]


def test_rows_whose_seasons_do_not_all_read_have_no_interval():
    assert rows_axis(catalog("games", {"season": ["2023-24", "playoffs"]}), OCTOBER).starts_at is None


@pytest.mark.parametrize("role", ["due", "partition", "starts", "ends"])
def test_a_named_column_that_is_not_there_is_refused(role):
    with pytest.raises(
        InvalidValueError, match=r"catalog 'games' \(games.csv\) has no column 'dat'; did you mean 'date'"
    ):
        rows_axis(catalog("games", {"date": ["2024-01-05"]}, **{role: "dat"}), OCTOBER)


def test_a_due_cell_that_is_no_date_is_refused_with_its_row():
    with pytest.raises(InvalidValueError, match="column 'on' holds no date in row 2, 3, 4 and 1 more"):
        rows_axis(catalog("games", {"on": ["2024-01-05", "", "x", "", ""]}, due="on"), OCTOBER)


def test_empty_cells_are_told_by_column_and_row():
    games = catalog("games", {"id": ["a", " "], "arena": ["", ""], "season": ["2024", "2024"]})
    told = empty_cells(games, rows_axis(games, OCTOBER), ["id", "season", "id"])
    assert told == [
        "catalog 'games' (games.csv): column 'id' is empty in row 2; fill it in or remove the row"
    ]


STATIONS = {
    "id": ["a", "b", "c"],
    "from": ["2020-01-01", "", "2026-01-01"],
    "to": ["2020-01-31", "2030-01-01", ""],
}


def test_a_life_holds_its_last_day_and_an_empty_end_is_open():
    stations = catalog("stations", STATIONS, starts="from", ends="to")
    begins, ends = lives(stations, rows_axis(stations, OCTOBER), "UTC")
    assert str(begins[0]) == "2020-01-01T00:00:00"
    assert str(ends[0]) == "2020-02-01T00:00:00"
    assert begins[1] < np.datetime64("1000-01-01")
    assert ends[2] > np.datetime64("9000-01-01")


def test_a_life_goes_by_the_wall_clock_of_the_steps():
    stations = catalog("stations", STATIONS, starts="from")
    begins, _ = lives(stations, rows_axis(stations, OCTOBER), "Asia/Tokyo")
    assert str(begins[0]) == "2019-12-31T15:00:00"


def test_rows_whose_life_has_ended_are_not_expected_and_others_are_due_when_it_begins():
    stations = catalog("stations", STATIONS, starts="from", ends="to")
    rows = still_living(stations, rows_axis(stations, OCTOBER), NOW)
    assert rows.texts("id").to_list() == ["b", "c"]
    assert str(rows.due_at[1]) == "2026-01-01T00:00:00"


def test_a_life_that_is_no_date_is_refused():
    stations = catalog("stations", {"id": ["a"], "from": ["early"]}, starts="from")
    with pytest.raises(InvalidValueError, match="column 'from' holds no date in row 1"):
        lives(stations, rows_axis(stations, OCTOBER), "UTC")
