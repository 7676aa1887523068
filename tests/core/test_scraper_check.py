"""What a command needs of the data types that it serves is checked before anything runs."""

from __future__ import annotations

import pytest
from scraper_tasks import scraper

from recon.core.scraper_check import ServedType, scraper_notices, scraper_problems


def served(**changed) -> ServedType:
    known = {
        "name": "nba.box",
        "source": "nba",
        "data_type": "box",
        "scraper": "nba",
        "batch_size": 50,
        "has_keys": True,
        "partition": ("season",),
        "fields": ("season", "game_id"),
        "has_days": True,
    }
    return ServedType(**{**known, **changed})


def problems(*command, types=(), **settings):
    return scraper_problems({"nba": scraper("x", *command, **settings)}, types or [served()])


@pytest.mark.parametrize(
    ("argument", "settings"),
    [
        ("{season:start_year} {source} {reason}", {}),
        ("{items.game_id:join(,)}", {}),
        ("{game_id}", {"per": "item"}),
        ("{season}", {"per": "source"}),
        ("{keys_file} {result_file} {days_back}", {}),
        ("{map.e...}", {"map": {"e": {"box": ("a",)}}}),
        ("{map.e...}", {"map": {"e": {"nba.box": ("a",)}}}),
        ("{args...}", {}),
    ],
)
def test_a_command_that_fits_has_no_problem(argument, settings):
    assert problems(argument, **settings) == []


@pytest.mark.parametrize(
    ("argument", "settings", "message"),
    [
        ("{gameid}", {}, "unknown placeholder {gameid}; did you mean 'game_id'?"),
        ("{datatype}", {}, "unknown placeholder {datatype}; did you mean 'data_type'?"),
        ("{zone}", {}, "unknown placeholder {zone}: its tasks have only game_id, season"),
        ("{items.zone...}", {}, "unknown placeholder {items.zone}: its tasks have only game_id, season"),
        ("{map.e...}", {"map": {"e": {"pbp": ("a",)}}}, "map.e does not name the data type 'box'"),
        (
            "{game_id}",
            {},
            "{game_id} has several values in one run; write {items.game_id:join(,)}, or per: item",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_the_type(argument, settings, message):
    assert problems(argument, **settings) == [f"recon.yaml:1:2: nba.box: {message}"]


def test_every_type_that_a_scraper_serves_is_checked_and_no_other():
    types = [served(), served(name="nba.pbp", fields=("season",)), served(scraper="other", fields=())]
    assert problems("{items.game_id...}", types=types) == [
        "recon.yaml:1:2: nba.pbp: unknown placeholder {items.game_id}: its tasks have only season"
    ]


@pytest.mark.parametrize("argument", ["{keys_file}", "{keys...}", "{items.game_id...}"])
def test_a_counted_type_has_no_keys_to_hand_over(argument):
    (problem,) = problems(argument, types=[served(has_keys=False, fields=())])
    assert problem.startswith("recon.yaml:1:2: nba.box: ")


def test_days_back_needs_a_day_or_a_limit():
    dayless = [served(has_days=False)]
    (problem,) = problems("{days_back}", types=dayless)
    assert problem.endswith("{days_back} has no value: its tasks name no day; set limits.days_back")
    assert problems("{days_back}", types=dayless, days_back_max=14) == []


def test_a_task_of_one_key_has_one_value_of_each():
    assert problems("{game_id}", types=[served(batch_size=1)]) == []


def test_a_scraper_that_no_data_type_names_is_told():
    (notice,) = scraper_notices({"nba_api": scraper("x", name="nba_api")}, {"nba_apis", "espn"})
    assert notice.message == "scraper 'nba_api' serves no data type; did you mean 'nba_apis'?"
