"""A task's body and identity are the same in every cycle, and within the bounds consumers rely on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wanted_groups import LAKE, group

from recon.core.task_body import MAX_BODY_BYTES, new_tasks, read_body, revised_task, task_id
from recon.errors import ConfigError
from recon.model import OutstandingTask, Priority, Reason


def published(wanted, keys, priorities=None):
    """Return the tasks of ``keys`` with an item each."""
    return new_tasks(LAKE, wanted, keys, [{"name": key} for key in keys], priorities or [1] * len(keys))


def out(task, body=None):
    """Return ``task`` as the queue gives it back."""
    return OutstandingTask(task.id, task.priority, task.source, body or task.body)


def test_the_body_is_ascii_json_with_the_id_first_and_the_fields_of_version_one():
    (task,) = published(group(["a/é"], args=("--days", "7")), ["a/é"], [0])
    assert task.body.isascii()
    assert task.body.startswith(b'{"id":"%s","v":1,"priority":"critical",' % task.id.encode())
    assert json.loads(task.body) == {
        "id": task.id,
        "v": 1,
        "priority": "critical",
        "lake": LAKE,
        "source": "nba",
        "data_type": "box",
        "scraper": "nba_scraper",
        "reason": "missing",
        "partition": {"season": "2024-25"},
        "pattern": "nba/box/{name}.json",
        "keys": ["a/é"],
        "items": [{"name": "a/é"}],
        "expect": {"min_size_bytes": 100},
        "args": ["--days", "7"],
        "first_seen_at": "2025-01-01T06:30:00Z",
    }


def test_the_id_is_32_hex_digits_and_does_not_follow_the_order_or_priority_of_keys():
    wanted = group(["a", "b"])
    assert task_id(LAKE, wanted, ["a", "b"]) == task_id(LAKE, wanted, ["b", "a"])
    assert len(bytes.fromhex(task_id(LAKE, wanted, ["a"]))) == 16


@pytest.mark.parametrize(
    "other",
    [group(source="x"), group(data_type="x"), group(reason=Reason.STALE)],
    ids=["source", "data type", "reason"],
)
def test_the_id_differs_with_what_the_work_is(other):
    assert task_id(LAKE, other, ["a"]) != task_id(LAKE, group(), ["a"])


def test_the_id_of_a_task_without_keys_tells_partitions_and_patterns_apart():
    ids = {
        task_id(LAKE, group(counted=(1, 2), partition=partition, pattern=pattern), ())
        for partition in ({"season": "2023-24"}, {"season": "2024-25"})
        for pattern in ("a/{n}", "b/{n}")
    }
    assert len(ids) == 4


@given(
    st.lists(st.text(max_size=4), min_size=1, max_size=4),
    st.lists(st.text(max_size=4), min_size=1, max_size=4),
)
def test_different_sets_of_keys_never_share_an_id(one, other):
    same = sorted(one) == sorted(other)
    assert (task_id(LAKE, group(), one) == task_id(LAKE, group(), other)) == same


def test_a_body_that_would_be_too_long_becomes_several_tasks_over_the_same_keys():
    keys = [f"{number:04d}/" + "é" * 500 for number in range(50)]
    tasks = published(group(keys), keys)
    assert len(tasks) > 1
    assert max(len(task.body) for task in tasks) <= MAX_BODY_BYTES
    assert [key for task in tasks for key in json.loads(task.body)["keys"]] == keys


def test_a_split_task_takes_the_level_of_its_own_keys():
    keys = [f"{number:04d}/" + "x" * 1000 for number in range(64)]
    tasks = published(group(keys), keys, [0] * 8 + [3] * 56)
    assert [task.priority for task in tasks] == [Priority.CRITICAL, *[Priority.LOW] * (len(tasks) - 1)]


def test_args_too_long_for_any_body_are_refused_with_the_next_step():
    with pytest.raises(ConfigError, match="shorten the scraper's args"):
        published(group(["a"], args=("x" * MAX_BODY_BYTES,)), ["a"])


def test_a_body_reads_back():
    (task,) = published(group(["a", "b"]), ["a", "b"])
    body = read_body(out(task))
    assert (body.source, body.data_type, body.reason) == ("nba", "box", Reason.MISSING)
    assert (body.keys, body.partition) == (("a", "b"), {"season": "2024-25"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-1],
        lambda body: b"\xff" + body,
        lambda body: body[:0] + b"[]",
        lambda body: body[:0] + b"7",
        lambda body: body.replace(b'"v":1', b'"v":2'),
        lambda body: body.replace(b'"id":"', b'"id":"0'),
        lambda body: body.replace(b'"missing"', b'"lost"'),
        lambda body: body.replace(b'"keys":["a"]', b'"keys":[7]'),
        lambda body: body.replace(b'"keys":["a"]', b'"keys":null'),
        lambda body: body.replace(b'"partition":{"season":"2024-25"}', b'"partition":[]'),
    ],
)
def test_a_damaged_body_reads_as_none(damage):
    (task,) = published(group(["a"]), ["a"])
    assert damage(task.body) != task.body
    assert read_body(out(task, damage(task.body))) is None


def test_a_revision_keeps_the_id_and_when_the_work_was_first_seen():
    wanted = group(["a", "b"], reason=Reason.STALE, expect={"fresh_after": "2025-01-01T00:00:00Z"})
    (task,) = published(wanted, ["a", "b"])
    later = group(
        ["a", "b"],
        reason=Reason.STALE,
        expect={"fresh_after": "2025-01-02T00:00:00Z"},
        first_seen_at=wanted.first_seen_at.replace(day=9),
    )
    stored = read_body(out(task))
    items = [{"name": "a"}, {"name": "b"}]
    assert revised_task(LAKE, later, stored, keys=["a", "b"], items=items, priority=task.priority) == task
    fewer = revised_task(LAKE, later, stored, keys=["b"], items=items[1:], priority=Priority.LOW)
    assert fewer.id == task.id
    assert json.loads(fewer.body)["keys"] == ["b"]
    assert np.isclose(len(fewer.body), len(task.body), atol=60)
