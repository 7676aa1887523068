"""``recon work`` over real queues and processes: each task is settled, released, or comes back."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from redis_servers import binary_of, running
from scraper_tasks import scraper
from work_place import GRACE_S, WorkPlace, wait_for

from recon.errors import BrokerError
from recon.model import TaskState

CLAIMED, READY, COOLING = TaskState.CLAIMED, TaskState.READY, TaskState.COOLING


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9")) as server:
        yield server


@pytest.fixture
def place(valkey, tmp_path):
    valkey.client.flushall()
    made = WorkPlace(valkey, tmp_path)
    yield made
    made.broker.close()


def test_a_scraper_that_ends_well_has_its_tasks_claimed_and_the_lake_filled(place):
    tasks = [place.put([{"g": f"{n}-a"}, {"g": f"{n}-b"}]) for n in range(5)]
    tally = place.work(place.filler(concurrency=2))
    assert place.states() == dict.fromkeys(tasks, CLAIMED)
    assert place.filled() == {f"{n}-{end}.json" for n in range(5) for end in "ab"}
    assert [(one["status"], "keys" in one) for one in place.results()] == [("done", False)] * 5
    counts = tally.of("nba")
    assert (counts.runs, counts.done, counts.keys, counts.running) == (5, 5, 10, 0)


def test_keys_reach_a_scraper_whatever_they_hold(place):
    keys = ["a b/c;d.json", "it's.json", "ü/→.json", "-rf.json", "$(x).json"]
    place.put([{"g": key} for key in keys], keys=keys)
    place.work(place.filler())
    assert place.filled() == set(keys)


def test_one_that_fails_says_how_and_its_task_cools(place):
    task = place.put()
    tally = place.work(place.sh("echo 'no such game' >&2; exit 4"))
    assert place.states() == {task: COOLING}
    (result,) = place.results()
    assert (result["status"], result["error"]) == ("failed", "exit status 4: no such game")
    assert tally.of("nba").failed == 1
    assert place.outstanding()[task].attempts == 1


def test_one_that_takes_too_long_has_failed(place):
    place.put()
    place.work(place.sh("sleep 600", timeout_s=0.3))
    assert [one["error"] for one in place.results()] == ["timed out after 0.3 s"]


def test_siblings_are_settled_by_one_run(place):
    first = {"season": "2024-25"}
    tasks = [
        place.put([{"g": "a"}], partition=first),
        place.put([{"g": "b"}], partition=first, data_type="pbp"),
        place.put([{"g": "c"}], partition={"season": "2023-24"}),
        place.put([{"g": "d"}], partition=first, level="low"),
    ]
    made = place.sh('echo "$1 $2" >> runs', "{season}", "{items.g:join(,)}", per="partition")
    assert place.work(made).of("nba").runs == 2
    assert place.lines("runs") == ["2024-25 a,b,d", "2023-24 c"]
    assert place.states() == dict.fromkeys(tasks, CLAIMED)


def test_a_task_in_several_runs_is_settled_once_with_the_keys_that_are_done(place):
    task = place.put([{"g": "1"}, {"g": "2"}, {"g": "3"}])
    place.work(place.sh('[ "$1" != 2 ]', "{g}", per="item", concurrency=3))
    (result,) = place.results()
    assert (result["id"], result["status"], result["keys"]) == (task, "done", ["1.json", "3.json"])


def test_a_scraper_may_say_of_each_key_what_became_of_it(place):
    place.put([{"g": "1"}, {"g": "2"}])
    said = '{{"key": "1.json", "status": "absent", "evidence": "404"}}'
    place.work(place.sh('printf "%s\\n" "$2" > "$1"; exit 1', "{result_file}", said))
    (result,) = place.results()
    assert (result["status"], result["keys"], result["evidence"]) == ("absent", ["1.json"], "404")


def test_the_most_urgent_task_is_run_first(place):
    for level in ("low", "high", "critical", "medium"):
        place.put(level=level)
    place.work(place.sh('echo "$1" >> runs', "{priority}"), jobs=1)
    assert place.lines("runs") == ["critical", "high", "medium", "low"]


def test_weighted_work_serves_low_levels_while_urgent_tasks_wait(place):
    for number in range(24):
        place.put(level="critical" if number % 2 else "low")
    place.work(place.sh('echo "$1" >> runs', "{priority}"), jobs=1, weighted=True)
    assert Counter(place.lines("runs")) == {"critical": 12, "low": 12}
    assert "low" in place.lines("runs")[:22]


def test_a_task_that_lacks_a_value_is_held_and_said_and_the_others_go_on(place):
    bad, good = place.put([{"other": "1"}]), place.put()
    tally = place.work(place.sh('echo "$1" >> runs', "{g}"))
    assert place.states() == {bad: COOLING, good: CLAIMED}
    assert place.outstanding()[bad].attempts == 0
    assert tally.held == {bad: "{g} has no value"}
    assert f"nba: task {bad} is held: {{g}} has no value" in place.said
    assert place.lines("runs") == ["1"]


def test_a_body_that_nobody_can_read_is_poison(place):
    task = place.put(v=2)
    assert place.work(place.sh("true")).of("?").poison == 1
    assert [one.id for one in place.queue.dead()] == [task]


def test_tasks_of_other_scrapers_stay_where_they_are(place):
    other = place.put(scraper="espn")
    mine = place.put()
    place.work(place.sh("true"))
    assert place.states() == {other: READY, mine: CLAIMED}
    assert place.outstanding()[other].attempts == 0


def test_a_scraper_that_cannot_start_costs_its_tasks_nothing_and_others_work_on(place):
    lost = [place.put(), place.put()]
    other = place.put(scraper="espn")
    tally = place.work(scraper("no-such-program"), place.sh("true", name="espn"))
    assert place.states() == {**dict.fromkeys(lost, READY), other: CLAIMED}
    assert {place.outstanding()[one].attempts for one in lost} == {0}
    assert list(tally.unable) == ["nba"]
    assert any("cannot start no-such-program" in line for line in place.said)


def test_no_more_tasks_are_taken_than_wanted(place):
    for _ in range(5):
        place.put()
    place.work(place.sh("true", concurrency=4), max_tasks=3)
    assert Counter(place.states().values()) == {CLAIMED: 3, READY: 2}


def test_never_more_runs_at_once_than_jobs_and_concurrency_allow(place):
    for number in range(6):
        place.put(scraper="nba" if number % 2 else "espn")
    script = "echo + >> at; sleep 0.2; echo - >> at"
    place.work(place.sh(script, concurrency=1), place.sh(script, name="espn", concurrency=9), jobs=2)
    now, most = 0, 0
    for line in place.lines("at"):
        now += 1 if line == "+" else -1
        most = max(most, now)
    assert (now, most) == (0, 2)


def test_a_rate_spaces_the_runs_of_a_tasks_items(place):
    place.put([{"g": str(n)} for n in range(4)])
    started = time.monotonic()
    place.work(place.sh("true", "{g}", per="item", concurrency=4, items_per_minute=300.0))
    assert time.monotonic() - started >= 0.6
    assert [one["status"] for one in place.results()] == ["done"]


def test_leases_are_held_while_a_run_lasts(place):
    task = place.put()
    made = place.sh("touch on; while [ -e on ]; do sleep 0.05; done")
    with place.working(made, visibility_s=0.6) as (shift, end):
        wait_for((place.folder / "on").exists)
        for _ in range(4):
            time.sleep(0.4)
            place.queue.tick()
            assert place.states() == {task: TaskState.LEASED}
        (place.folder / "on").unlink()
        wait_for(lambda: place.states() == {task: CLAIMED})
        shift.stop()
        assert end().of("nba").done == 1


@pytest.mark.parametrize("how", ["cancelled", "lost"])
def test_a_run_whose_task_is_taken_away_is_stopped(place, how):
    place.grace_s = 60.0
    task = place.put()
    made = place.sh("trap 'echo stopped >> runs; exit 1' TERM; touch on; while :; do sleep 0.05; done")
    with place.working(made, visibility_s=0.6) as (shift, end):
        wait_for((place.folder / "on").exists)
        if how == "cancelled":
            assert place.queue.withdraw([task], fence=1) == {task: "moot"}
        else:
            place.end_lease(task)
        wait_for(lambda: place.lines("runs") == ["stopped"])
        shift.stop()
        assert end().of("nba").gone == 1
    assert place.states() == ({} if how == "cancelled" else {task: COOLING})
    assert place.results() == []


def test_a_task_that_comes_back_while_its_older_run_lasts_is_not_run_twice(place):
    place.grace_s = 60.0
    task = place.put()
    script = (
        "echo begun >> runs; trap 'sleep 0.2; echo ended >> runs; exit 1' TERM; while :; do sleep 0.05; done"
    )
    with place.working(place.sh(script, concurrency=2)) as (shift, end):
        wait_for(lambda: place.lines("runs") == ["begun"])
        place.end_lease(task)
        place.client.zadd("recon:q:cool", {task: 1}, xx=True)
        wait_for(lambda: place.lines("runs") == ["begun", "ended"])
        shift.stop()
        assert end().of("nba").gone == 1
    assert place.states() == {task: COOLING}


def test_a_run_for_several_tasks_goes_on_while_one_of_them_is_ours(place):
    tasks = [place.put([{"g": str(n)}]) for n in range(2)]
    made = place.sh("touch on; while [ -e on ]; do sleep 0.05; done", per="source")
    with place.working(made, visibility_s=0.6) as (shift, end):
        wait_for((place.folder / "on").exists)
        place.queue.withdraw(tasks[:1], fence=1)
        wait_for(lambda: any("cancelled" in line for line in place.said))
        (place.folder / "on").unlink()
        wait_for(lambda: place.states() == {tasks[1]: CLAIMED})
        shift.stop()
        end()
    assert [one["id"] for one in place.results()] == tasks[1:]


def test_a_stop_gives_back_what_is_unfinished_with_its_attempt(place):
    tasks = [place.put([{"g": str(n)}]) for n in range(3)]
    made = place.sh('touch "on$1"; while :; do sleep 0.05; done', "{g}", concurrency=2)
    with place.working(made) as (shift, end):
        wait_for(lambda: len(list(place.folder.glob("on*"))) == 2)
        started = time.monotonic()
        shift.stop()
        tally = end()
        assert time.monotonic() - started < 10
    assert place.states() == dict.fromkeys(tasks, READY)
    assert {task.attempts for task in place.outstanding().values()} == {0}
    assert tally.of("nba").released == 2


def test_a_stop_kills_what_ignores_it(place):
    task = place.put()
    with place.working(place.sh("trap '' TERM; touch on; while :; do sleep 0.05; done")) as (shift, end):
        wait_for((place.folder / "on").exists)
        started = time.monotonic()
        shift.stop()
        end()
        assert GRACE_S <= time.monotonic() - started < 10
    assert place.states() == {task: READY}


def test_a_stop_settles_what_a_scraper_had_already_said(place):
    place.put([{"g": "1"}, {"g": "2"}])
    said = '{{"key": "1.json", "status": "done"}}'
    script = 'printf "%s\\n" "$2" > "$1"; touch on; while :; do sleep 0.05; done'
    with place.working(place.sh(script, "{result_file}", said)) as (shift, end):
        wait_for((place.folder / "on").exists)
        shift.stop()
        end()
    assert [(one["status"], one["keys"]) for one in place.results()] == [("done", ["1.json"])]


def test_items_that_were_not_begun_are_given_back_with_their_task(place):
    task = place.put([{"g": str(n)} for n in range(9)])
    with place.working(place.sh("touch on; sleep 600", "{g}", per="item")) as (shift, end):
        wait_for((place.folder / "on").exists)
        shift.stop()
        end()
    assert place.states() == {task: READY}


def test_new_tasks_are_found_while_it_works(place):
    with place.working(place.filler()) as (shift, end):
        time.sleep(0.3)
        task = place.put()
        wait_for(lambda: place.states() == {task: CLAIMED})
        shift.stop()
        assert end().of("nba").done == 1


def test_a_failed_task_comes_back_and_is_given_up_in_the_end(place):
    task = place.put()
    for _ in range(5):
        place.work(place.sh("exit 1"))
        place.client.zadd("recon:q:cool", {task: 1}, xx=True)
    assert [one.id for one in place.queue.dead()] == [task]


def test_it_works_on_when_redis_comes_back(tmp_path):
    with running(binary_of("valkey-9"), "--appendfsync", "always") as server:
        place = WorkPlace(server, tmp_path)
        tasks = [place.put([{"g": str(n)}]) for n in range(2)]
        made = place.sh('touch "on$1"; while [ -e "on$1" ]; do sleep 0.05; done', "{g}")
        with place.working(made, visibility_s=20) as (shift, end):
            wait_for((tmp_path / "on0").exists)
            server.kill()
            (tmp_path / "on0").unlink()
            wait_for(lambda: any("do not answer" in line for line in place.said))
            server.start()
            place.client = server.client
            wait_for((tmp_path / "on1").exists)
            (tmp_path / "on1").unlink()
            wait_for(lambda: place.states() == dict.fromkeys(tasks, CLAIMED))
            shift.stop()
            assert end().of("nba").done == 2
        assert "the queues answer again" in place.said
        place.broker.close()


def test_without_redis_it_does_not_begin(tmp_path):
    with running(binary_of("valkey-9")) as server:
        place = WorkPlace(server, tmp_path)
        server.kill()
        with pytest.raises(BrokerError):
            place.work(place.filler())
        place.broker.close()
