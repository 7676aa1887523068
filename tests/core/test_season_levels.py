"""Which seasons are urgent: those that are pinned, or those near the current one."""

import numpy as np
import pytest
from declared import NOW, catalog

from recon.core.catalog import rows_axis
from recon.core.dimensions import axis, parse_dimension
from recon.core.season_levels import newest_pinned, season_levels


def levels(value, high=(), medium=(), name="season", now=NOW):
    found = season_levels(axis(parse_dimension(name, value), now), high, medium, now)
    texts = np.array(found.texts.to_list())
    return texts[found.high].tolist(), texts[found.medium].tolist()


@pytest.mark.parametrize(
    ("value", "high", "medium"),
    [
        ({"seasons": "2021-22..current"}, ["2025-26"], ["2023-24", "2024-25"]),
        ({"seasons": "2022..current"}, ["2026"], ["2024", "2025"]),
        ({"seasons": "2021-22..current", "starts": "11-15"}, ["2024-25"], ["2022-23", "2023-24"]),
        ({"seasons": "1967-1976"}, ["1976"], ["1974", "1975"]),
        ({"seasons": ["2019-20", "2021-22"]}, ["2021-22"], ["2019-20"]),
        ({"values": ["2023-24", "2025-26", "spring"]}, ["2025-26"], ["2023-24"]),
    ],
)
def test_the_current_season_is_the_greatest_enumerated_one_that_has_begun(value, high, medium):
    assert levels(value) == (high, medium)


def test_of_calendar_years_the_current_one_is_the_year_of_now():
    assert levels({"integers": "2022..2027"}, name="year") == (["2025", "2026", "2027"], ["2023", "2024"])


@pytest.mark.parametrize("pin", ["2023-24", "2024"])
def test_a_pin_names_a_season_in_either_notation_and_newer_ones_count_too(pin):
    assert levels({"seasons": "2022-23..current"}, (pin,), ("2022-23",)) == (
        ["2023-24", "2024-25", "2025-26"],
        ["2022-23"],
    )


def test_a_plain_word_can_be_pinned_and_pins_nothing_else():
    assert levels({"seasons": ["spring", "autumn", "2025-26"]}, ("spring",), ("autumn",)) == (
        ["spring"],
        ["autumn"],
    )
    assert newest_pinned(("spring",)) == -1


def test_seasons_yet_to_come_have_no_current_one():
    yet = axis(parse_dimension("season", {"seasons": "2030-31..2031-32"}), NOW)
    found = season_levels(yet, (), (), NOW)
    assert found.current is None
    assert not found.medium.any()


def test_rows_are_of_the_season_their_column_says():
    rows = rows_axis(catalog("g", {"id": ["a", "b"], "season": ["2025-26", "2024-25"]}), (10, 1))
    found = season_levels(rows, (), (), NOW)
    assert (found.high.tolist(), found.medium.tolist(), found.current) == ([True, False], [False, True], 0)


@pytest.mark.parametrize(
    "value", [{"values": ["ATL"]}, {"integers": "1..3"}, {"every": "day", "start": "2025-10-30"}]
)
def test_other_values_have_no_seasons(value):
    assert season_levels(axis(parse_dimension("x", value), NOW), (), (), NOW) is None
