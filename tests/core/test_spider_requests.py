"""A spider is asked for each key by itself, with nothing that scrapy-redis would take for form data."""

from __future__ import annotations

import json
from dataclasses import replace

from scraper_tasks import NOW, body_text, scraper, task

from recon.core.command_template import parse_url
from recon.core.planned_runs import planned_runs
from recon.core.runs import runs
from recon.core.scraper import SpiderFeed
from recon.core.scraper_check import ServedType, scraper_problems


def asking(url: str, **settings):
    feed = SpiderFeed("games", parse_url(url), "recon.yaml:2:3")
    return replace(scraper("ask", "games", "{keys_file}", "{result_file}", **settings), feed=feed)


def asked(url: str, *tasks, **settings) -> list[dict]:
    found = runs(asking(url, **settings), tasks, NOW)
    assert not found.held
    return [json.loads(line) for run in found.runs for line in run.lines(NOW)]


def urls(url: str, *tasks, **settings) -> list[str]:
    return [one["url"] for one in asked(url, *tasks, **settings)]


def test_each_key_is_a_request_that_says_what_it_is_for():
    one = task(
        [{"g": "1"}, {"g": "2"}], id="a1", source="nba", data_type="box", reason="stale", lake="s3://b/x"
    )
    about = {"id": "a1", "lake": "s3://b/x", "source": "nba", "data_type": "box", "reason": "stale"}
    assert asked("https://s/{g}", one) == [
        {"url": f"https://s/{n}", "method": "GET", "meta": {"recon": {**about, "key": f"k/{n - 1}"}}}
        for n in (1, 2)
    ]


def test_a_value_stays_inside_its_place_in_the_url():
    one = task([{"g": "a/../b?c=d&e#f é%"}])
    assert urls("https://s/{g}/x", one) == ["https://s/a%2F..%2Fb%3Fc%3Dd%26e%23f%20%C3%A9%25/x"]


def test_urls_take_the_formats_of_commands():
    one = task([{"season": "2024-25", "day": "2025-01-02"}], partition={"season": "2024-25"})
    url = "https://s/{{{season:end_year}}}/{day:%Y%m%d}?e={map.e:join(,)}"
    assert urls(url, one, map={"e": {"box": ("v3", "v4")}}) == ["https://s/{2025}/20250102?e=v3%2Cv4"]


def test_a_run_of_many_tasks_asks_for_all_their_keys():
    tasks = [task([{"g": "1"}], keys=["k/1"]), task([{"g": "2"}, {"g": "3"}], keys=["k/2", "k/3"])]
    found = runs(asking("https://s/{g}", per="source"), tasks, NOW)
    (run,) = found.runs
    assert [json.loads(line)["meta"]["recon"]["key"] for line in run.lines(NOW)] == ["k/1", "k/2", "k/3"]


def test_a_task_with_a_key_that_no_url_can_be_made_for_is_held():
    fine, odd = task([{"g": "1"}]), task([{"g": "1"}, {"h": "2"}])
    found = runs(asking("https://s/{g}", per="source"), [fine, odd], NOW)
    assert [run.task_ids for run in found.runs] == [(fine.id,)]
    assert [(one.task.id, one.why) for one in found.held] == [(odd.id, "{g} has no value")]


def test_the_plan_shows_what_is_asked_for_without_secrets():
    body = body_text(items=[{"g": "1"}], keys=["k/1"])
    (run,) = planned_runs([body], {"nba": asking("https://u:c4nary@s/{g}?token=c4nary")}, NOW)["runs"]
    assert run["urls"] == ["https://***@s/1?token=***"]


def served(*, has_keys: bool = True) -> ServedType:
    fields = ("season", "game_id") if has_keys else ()
    return ServedType("nba.box", "nba", "box", "nba", 50, has_keys, ("season",), fields, has_days=True)


def test_a_url_is_checked_against_the_types_that_it_serves():
    assert scraper_problems({"nba": asking("https://s/{season}/{game_id}")}, [served()]) == []
    (unknown,) = scraper_problems({"nba": asking("https://s/{gameid}")}, [served()])
    assert unknown == "recon.yaml:2:3: nba.box: unknown placeholder {gameid}; did you mean 'game_id'?"
    (counted,) = scraper_problems({"nba": asking("https://s/{season}")}, [served(has_keys=False)])
    assert counted == (
        "recon.yaml:2:3: nba.box: a spider is asked for keys, and a counted type's tasks name none"
    )
