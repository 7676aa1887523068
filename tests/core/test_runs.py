"""Tasks become runs: siblings share one where a command line can be theirs in common."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from scraper_tasks import NOW, scraper, task

from recon.core.runs import runs

FILES = {"keys_file": "K", "result_file": "R"}


def lines(made, *tasks):
    return [" ".join(run.words(NOW, FILES)) for run in runs(made, tasks, NOW).runs]


def games(*names, **fields):
    return task([{"g": name, "season": "2024-25"} for name in names], **fields)


def test_a_run_for_each_task():
    made = scraper("x", "{items.g:join(,)}")
    assert lines(made, games("a", "b"), games("c")) == ["x a,b", "x c"]


def test_a_run_for_each_item_of_a_task():
    made = scraper("x", "{g}", "{keys...}", per="item")
    assert lines(made, games("a", "b", keys=["k/a", "k/b"])) == ["x a k/a", "x b k/b"]


def test_a_counted_task_is_one_item():
    made = scraper("x", "{season}", per="item")
    assert lines(made, task(partition={"season": "2024-25"})) == ["x 2024-25"]


def test_siblings_of_a_partition_share_a_run_whatever_their_data_type():
    made = scraper("x", "{season}", "{items.g:join(,)}", per="partition")
    first = {"season": "2024-25"}
    assert lines(
        made,
        games("a", partition=first),
        games("z", partition={"season": "2023-24"}),
        games("b", partition=first, data_type="pbp"),
        games("c", partition=first, source="aba"),
    ) == ["x 2024-25 a,b", "x 2023-24 z", "x 2024-25 c"]


def test_siblings_of_a_source_share_a_run_only_where_single_values_agree():
    made = scraper("x", "{reason}", "{items.g:join(,)}", per="source")
    assert lines(made, games("a"), games("b", reason="stale"), games("c")) == ["x missing a,c", "x stale b"]


def test_tasks_with_other_arguments_of_their_own_do_not_share_a_run():
    made = scraper("x", "{args...}", "{items.g:join(,)}", per="source")
    assert lines(made, games("a", args=["-1"]), games("b"), games("c", args=["-1"])) == ["x -1 a,c", "x b"]


def test_a_run_goes_back_as_far_as_the_oldest_of_its_tasks():
    made = scraper("x", "{days_back}", per="source", days_back_max=14)
    found = runs(
        made,
        [task([{"day": f"2026-01-{day:02d}T00:00:00Z"}]) for day in (14, 2, 1, 10)],
        NOW,
    )
    assert [run.words(NOW, FILES) for run in found.runs] == [["x", "14"]]
    assert len(found.runs[0].works) == 3
    assert [held.why for held in found.held] == ["{days_back}: 15 days, beyond limits.days_back of 14"]


def test_a_task_that_lacks_a_value_is_held_whole_and_alone():
    made = scraper("x", "{g}", per="item")
    bad = task([{"g": "a"}, {"g": ""}])
    found = runs(made, [games("b"), bad], NOW)
    assert [run.task_ids for run in found.runs] == [(found.runs[0].works[0].task.id,)]
    assert [(held.task.id, held.why) for held in found.held] == [(bad.id, "{g} has no value")]


def test_the_limit_on_items_cuts_between_tasks_only():
    made = scraper("x", "{items.g:join(,)}", per="source", items_max=3)
    tasks = [games("a", "b"), games("c"), games("d"), games("e", "f", "g", "h")]
    assert lines(made, *tasks) == ["x a,b,c", "x d", "x e,f,g,h"]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["2023-24", "2024-25"]), st.integers(0, 4)),
        max_size=12,
    ),
    st.sampled_from(["task", "item", "partition", "source"]),
    st.sampled_from(["{reason}", "{season}", "{keys_file}"]),
    st.sampled_from([None, 1, 3]),
)
@settings(max_examples=200)
def test_every_task_is_in_runs_whole_or_held_and_each_key_in_one_run(shapes, per, argument, most):
    made = scraper("x", argument, per=per, items_max=most)
    tasks = [
        task(
            [{"season": season}] * size,
            keys=[f"{number}/{place}" for place in range(size)],
            source=source,
            partition={"season": season},
        )
        for number, (source, season, size) in enumerate(shapes)
    ]
    found = runs(made, tasks, NOW)
    keys = [key for run in found.runs for key in run.keys]
    held = {one.task.id for one in found.held}
    assert sorted(keys) == sorted(key for one in tasks if one.id not in held for key in one.keys)
    assert {one for run in found.runs for one in run.task_ids} | held == {one.id for one in tasks}
    assert not held & {one for run in found.runs for one in run.task_ids}
