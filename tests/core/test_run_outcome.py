"""How a run ended is told in words, and says what of each task is claimed."""

from __future__ import annotations

import json

import pytest
from scraper_tasks import NOW, scraper, task

from recon.core.run_outcome import WORDS_MAX, Claims, Ended, claim, key_claims, verdict
from recon.core.runs import runs
from recon.model import Settlement

DONE, FAILED, ABSENT = Settlement.DONE, Settlement.FAILED, Settlement.ABSENT


def lines(*said):
    return "".join(f"{json.dumps(one)}\n" for one in said)


def told(one, *endings, per="task"):
    claims = Claims()
    found = runs(scraper("x", per=per), [one], NOW).runs
    assert len(found) == len(endings)
    for run, ended in zip(found, endings, strict=True):
        claim(claims, run, one.id, ended)
    came = verdict(claims, one.keys)
    return None if came is None else (came.status, came.keys, came.words)


TWO = task([{"g": "a"}, {"g": "b"}], keys=["a", "b"])


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended(0, 9), "exit status 0"),
        (Ended(3, 9, tail="Traceback\n  boom\n"), "exit status 3: Traceback\n  boom"),
        (Ended(-9, 9), "killed by SIGKILL"),
        (Ended(-99, 9), "killed by signal 99"),
        (Ended(0, 900, timed_out=True, tail="slow"), "timed out after 900 s: slow"),
    ],
)
def test_an_end_has_words(ended, words):
    assert ended.words == words


def test_the_words_are_bounded_and_keep_the_end():
    words = Ended(1, 9, tail="x" * 9999 + "the end").words
    assert len(words) == WORDS_MAX
    assert words.startswith("exit status 1: x")
    assert words.endswith("the end")
    assert Ended(1, 9, tail="a\nb\n").brief == "exit status 1: b"


@pytest.mark.parametrize(
    ("ended", "came"),
    [
        (Ended(0, 9), (DONE, None, "")),
        (Ended(2, 9, tail="no"), (FAILED, None, "exit status 2: no")),
        (Ended(0, 9, timed_out=True), (FAILED, None, "timed out after 9 s")),
        (Ended(0, 9, stopped=True), None),
        (Ended(-15, 9, stopped=True), None),
    ],
)
def test_the_exit_status_speaks_for_the_whole_task(ended, came):
    assert told(TWO, ended) == came


@pytest.mark.parametrize(
    ("said", "status", "came"),
    [
        ([{"key": "a", "status": "done"}], 1, (DONE, ("a",), "exit status 1")),
        ([{"key": "a", "status": "failed", "error": "429"}], 0, (DONE, ("b",), "429")),
        ([{"key": key, "status": "absent", "evidence": "404"} for key in "ab"], 0, (ABSENT, None, "404")),
        ([{"key": "b", "status": "absent", "evidence": "404"}], 0, (DONE, ("a",), "")),
        ([{"key": "b", "status": "absent", "evidence": "404"}], 5, (ABSENT, ("b",), "404")),
        ([{"key": "elsewhere", "status": "done"}], 5, (FAILED, None, "exit status 5")),
    ],
)
def test_a_result_file_speaks_for_its_keys_and_the_exit_status_for_the_rest(said, status, came):
    assert told(TWO, Ended(status, 9, results=lines(*said))) == came


def test_what_a_stopped_run_had_written_counts():
    said = lines({"key": "a", "status": "done"})
    assert told(TWO, Ended(-15, 9, stopped=True, results=said)) == (DONE, ("a",), "")
    said += lines({"key": "b", "status": "done"})
    assert told(TWO, Ended(-15, 9, stopped=True, results=said)) == (DONE, None, "")
    failed = lines({"key": "a", "status": "failed"})
    assert told(TWO, Ended(-15, 9, stopped=True, results=failed)) is None


def test_a_task_in_several_runs_tells_what_was_done():
    assert told(TWO, Ended(0, 9), Ended(1, 9, tail="no"), per="item") == (DONE, ("a",), "exit status 1: no")
    assert told(TWO, Ended(1, 9), Ended(1, 9), per="item") == (FAILED, None, "exit status 1")
    assert told(TWO, Ended(0, 9), Ended(-15, 9, stopped=True), per="item") == (DONE, ("a",), "")


def test_a_counted_task_is_done_or_not():
    counted = task(partition={"season": "2024-25"})
    assert told(counted, Ended(0, 9)) == (DONE, None, "")
    said = lines({"status": "absent", "evidence": "no such season"})
    assert told(counted, Ended(0, 9, results=said)) == (ABSENT, None, "no such season")
    assert told(counted, Ended(-15, 9, stopped=True)) is None


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"key": 3, "status": "done"}', '{"status": "odd"}', "\0"]
)
def test_lines_that_say_nothing_are_passed_over(line):
    found = key_claims(f'{line}\n{{"key": "a", "status": "done"}}\n')
    assert list(found) == ["a"]
