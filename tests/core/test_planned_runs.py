"""What would run is told with its exact arguments, its tasks, and without secrets."""

from __future__ import annotations

from scraper_tasks import NOW, body_text, scraper

from recon.core.planned_runs import planned_runs


def test_runs_come_in_the_order_of_their_first_tasks_and_nothing_is_left_out():
    bodies = [
        body_text(id="a1", scraper="espn", items=[{"g": "1"}], keys=["k/1"]),
        body_text(id="b1", items=[{"g": "2"}], keys=["k/2"]),
        body_text(id="a2", scraper="espn", items=[{"g": "3"}], keys=["k/3"]),
        body_text(id="b2"),
        body_text(id="c1", scraper="strange"),
        b"no task",
    ]
    espn = scraper(
        "e", "{items.g:join(,)}", name="espn", per="source", env={"TZ": "UTC", "API_KEY": "s3cr3t"}
    )
    plan = planned_runs(bodies, {"nba": scraper("n", "{g}", "{keys_file}"), "espn": espn}, NOW)
    assert [(run["argv"], run["tasks"], run["keys"]) for run in plan["runs"]] == [
        (["e", "1,3"], ["a1", "a2"], ["k/1", "k/3"]),
        (["n", "2", "{keys_file}"], ["b1"], ["k/2"]),
    ]
    assert plan["runs"][0]["env"] == {"TZ": "UTC", "API_KEY": "***"}
    assert plan["held"] == [{"id": "b2", "scraper": "nba", "why": "{g} has no value"}]
    assert (plan["unserved"], plan["unreadable"]) == ({"strange": 1}, 1)
