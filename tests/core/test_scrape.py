"""The plan keeps the queue holding the wanted work, each key once, whatever happened in between."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wanted_groups import LAKE, NOW, NumberedKeys, facts, group, outstanding_after

from recon.core.limits import QueueLimits
from recon.core.scrape import QueuePlan, queue_plan
from recon.model import OutstandingTask, Priority, Reason, TaskState

LIMITS = QueueLimits()


def plan(groups, outstanding=(), limits=LIMITS, **changed):
    """Return the plan of a complete cycle."""
    return queue_plan(groups, outstanding, limits, facts(**changed))


def queue(groups, **changed):
    """Return what the queue holds after a first plan."""
    return outstanding_after(plan(groups, **changed), ())


def keys_of(tasks):
    """Return the keys of tasks, in order."""
    return [key for task in tasks for key in json.loads(task.body)["keys"]]


def popped(task):
    """Return ``task`` as taken by a plain consumer."""
    return replace(task, in_list=False)


def claimed(task, ago):
    """Return ``task`` as said to be done ``ago`` before the observation."""
    return replace(task, state=TaskState.CLAIMED, token="done", at=NOW - ago, in_list=False)


def test_wanted_keys_become_tasks_of_batch_size_in_rank_order():
    first = plan([group(["a", "b", "c"], batch_size=2)])
    assert [keys_of([task]) for task in first.published] == [["a", "b"], ["c"]]
    assert (first.outstanding, first.deferred) == (2, 0)


def test_a_second_plan_over_the_same_queue_does_nothing():
    groups = [group(["a", "b", "c"], batch_size=2), group(counted=(1, 8), data_type="parts")]
    assert plan(groups, queue(groups)) == QueuePlan(outstanding=3)


def test_a_key_inserted_into_the_middle_of_a_catalog_is_published_alone():
    out = queue([group(["a", "c", "d"], batch_size=2)])
    again = plan([group(["a", "b", "c", "d"], batch_size=2)], out)
    assert keys_of(again.published) == ["b"]
    assert not again.revised
    assert not again.withdrawn


def test_a_task_none_of_whose_keys_is_wanted_is_withdrawn():
    out = queue([group(["a", "b"])])
    assert plan([], out) == QueuePlan(withdrawn=(out[0].id,))
    assert plan([], [popped(out[0])]).withdrawn == (out[0].id,)


def test_a_partly_filled_task_is_revised_in_place_while_it_is_ready():
    (task,) = queue([group(["a", "b", "c"])])
    again = plan([group(["c", "a"])], [task])
    assert [(one.id, keys_of([one])) for one in again.revised] == [(task.id, ["a", "c"])]
    assert not again.published


def test_a_partly_filled_task_that_a_consumer_holds_is_left_alone():
    (task,) = queue([group(["a", "b"])])
    assert plan([group(["b"])], [popped(task)]) == QueuePlan(outstanding=1)


def test_a_task_that_touches_an_unknown_key_is_left_alone():
    (task,) = queue([group(["a", "b"])])
    again = plan([], [task], undecided=lambda body: "a" in body.keys)
    assert again == QueuePlan(outstanding=1)


def test_the_wanted_keys_of_an_undecided_task_are_not_published_again():
    (task,) = queue([group(["a", "b"])])
    again = plan([group(["b", "c"])], [task], undecided=lambda body: "a" in body.keys)
    assert keys_of(again.published) == ["c"]


def test_a_key_whose_reason_changed_leaves_its_task_and_is_wanted_anew():
    (task,) = queue([group(["a", "b"])])
    groups = [group(["b"]), group(["a"], reason=Reason.SMALL)]
    again = plan(groups, [task])
    assert keys_of(again.revised) == ["b"]
    assert keys_of(again.published) == ["a"]
    held = plan(groups, [popped(task)])
    assert not held.published


def test_a_key_that_is_out_under_another_partition_is_not_published_twice():
    (task,) = queue([group(["a", "b"], partition={"season": "2024-25"})])
    again = plan([group(["a", "b", "c"], partition={"year": "2024"})], [task], undecided=lambda _: True)
    assert keys_of(again.published) == ["c"]


def test_a_task_follows_its_keys_to_another_level_while_it_is_ready():
    (task,) = queue([group(["a", "b"], levels=[0, 3])])
    assert task.priority == Priority.CRITICAL
    down = plan([group(["b"], levels=[3])], [task])
    assert [(one.id, one.priority, keys_of([one])) for one in down.moved] == [(task.id, Priority.LOW, ["b"])]
    assert not down.revised
    assert not plan([group(["b"], levels=[3])], [popped(task)]).moved


def test_a_rising_task_waits_and_a_sinking_one_leaves_when_the_level_it_belongs_to_is_full():
    limits = QueueLimits(per_level=dict.fromkeys(Priority, 1))
    high, low = queue([group(["h"], levels=[1]), group(["l"], levels=[3])])
    full = [group(["h"], levels=[1]), group(["l"], levels=[1])]
    waits = plan(full, [high, low], limits)
    assert (waits.moved, waits.withdrawn, waits.outstanding) == ((), (), 2)
    leaves = plan([group(["l"], levels=[3]), group(["h"], levels=[3])], [high, low], limits)
    assert (leaves.moved, leaves.withdrawn) == ((), (high.id,))
    assert (leaves.deferred, leaves.outstanding) == (1, 1)


def test_a_counted_task_is_revised_when_its_numbers_change():
    (task,) = queue([group(counted=(1, 8))])
    assert json.loads(task.body)["keys"] == []
    again = plan([group(counted=(5, 8))], [task])
    assert [json.loads(one.body)["expect"] for one in again.revised] == [{"have": 5, "expected": 8}]
    assert plan([], [task]).withdrawn == (task.id,)


def test_counted_gaps_of_two_partitions_are_two_tasks():
    groups = [group(counted=(1, 8), partition={"day": day}) for day in ("2025-01-01", "2025-01-02")]
    assert len({task.id for task in plan(groups).published}) == 2


def test_a_changed_scraper_reaches_the_tasks_that_wait():
    (task,) = queue([group(["a"])])
    again = plan([group(["a"], scraper="other")], [task])
    assert [json.loads(one.body)["scraper"] for one in again.revised] == ["other"]


def test_an_unreadable_task_is_withdrawn_and_its_keys_are_published_anew():
    (task,) = queue([group(["a"])])
    again = plan([group(["a"])], [replace(task, body=task.body[:-5])])
    assert again.withdrawn == (task.id,)
    assert keys_of(again.published) == ["a"]


@pytest.mark.parametrize("state", [TaskState.LEASED, TaskState.MOOT, TaskState.READY])
def test_a_task_that_a_consumer_has_stays_as_it_is(state):
    groups = [group(["a", "b"], levels=[0, 0])]
    (task,) = queue([group(["a", "b"], levels=[2, 2])])
    again = plan(groups, [replace(popped(task), state=state)])
    assert again == QueuePlan(outstanding=1)


def test_a_cooling_task_is_worded_anew_like_a_ready_one():
    (task,) = queue([group(["a", "b"])])
    again = plan([group(["b"])], [replace(task, state=TaskState.COOLING, in_list=False)])
    assert keys_of(again.revised) == ["b"]


def test_a_claim_that_a_later_look_does_not_bear_out_is_reopened_for_what_is_still_wanted():
    (task,) = queue([group(["a", "b"])])
    again = plan([group(["b"])], [claimed(task, timedelta(minutes=1))])
    assert [one.id for one in again.reopened] == [task.id]
    assert keys_of(again.reopened) == ["b"]
    assert not again.published


def test_a_claim_that_is_borne_out_leaves_the_queue():
    (task,) = queue([group(["a"])])
    assert plan([], [claimed(task, timedelta(minutes=1))]).withdrawn == (task.id,)


def test_a_claim_from_after_the_look_keeps_its_keys_to_itself():
    groups = [group(["a"])]
    (task,) = queue(groups)
    again = plan(groups, [claimed(task, -timedelta(minutes=1))], undecided=lambda _: True)
    assert again == QueuePlan()


def test_a_false_claim_whose_level_is_full_waits_with_the_deferred():
    (task,) = queue([group(["a"], levels=[0])])
    full = queue([group([f"{number:04d}" for number in range(100)], levels=[0] * 100, batch_size=1)])
    groups = [group([*(f"{number:04d}" for number in range(100)), "a"], levels=[0] * 101, batch_size=1)]
    again = plan(groups, [*full, claimed(task, timedelta(minutes=1))])
    assert (again.withdrawn, again.reopened, again.deferred) == ((task.id,), (), 1)


def test_full_levels_defer_the_rest_and_a_later_plan_tops_them_up():
    groups = [group([f"{number:04d}" for number in range(130)], levels=[0] * 130, batch_size=1)]
    first = plan(groups)
    assert (len(first.published), first.deferred, first.outstanding) == (100, 30, 100)
    left = [group([f"{number:04d}" for number in range(10, 130)], levels=[0] * 120, batch_size=1)]
    second = plan(left, outstanding_after(first, ()))
    assert (len(second.withdrawn), len(second.published), second.deferred) == (10, 10, 20)


def test_a_chunk_split_by_its_size_still_keeps_the_cap():
    keys = [f"{number:04d}/" + "x" * 1000 for number in range(100)]
    first = plan([group(keys, levels=[0] * 100, batch_size=100)], limits=QueueLimits({Priority.CRITICAL: 3}))
    assert (len(first.published), first.outstanding, first.deferred) == (3, 3, 1)


def test_only_the_keys_that_are_published_are_decoded():
    wanted = NumberedKeys(1_000_000)
    huge = replace(
        group(levels=[], due=[], wanted=wanted),
        priorities=group(levels=[1]).priorities.repeat(1_000_000),
        due=group(levels=[1]).due.repeat(1_000_000),
    )
    first = plan([huge])
    assert (len(first.published), first.deferred) == (300, 19_700)
    assert wanted.decoded == 300 * 50
    again = plan([huge], outstanding_after(first, ()))
    assert again == QueuePlan(deferred=19_700, outstanding=300)
    assert wanted.decoded == 300 * 50


TINY = QueueLimits({Priority.CRITICAL: 3, Priority.HIGH: 4, Priority.MEDIUM: 4, Priority.LOW: 2}, in_all=11)
TYPES = [("a", "box", True), ("a", "pbp", True), ("b", "box", True), ("b", "new", False)]


class Lake(RuleBasedStateMachine):
    """A lake whose keys come, go and change, and a queue that only the plans (and consumers) touch."""

    def __init__(self):
        super().__init__()
        self.now = NOW
        self.states = {}  # (source, type, key) -> ok, missing, small or unknown
        self.levels = {}
        self.queue = {}
        self.numbers = {}  # counted partitions: have, of 5
        self.batch_size = 3

    names = st.text("abcdef", min_size=1, max_size=3)
    kinds = st.sampled_from(TYPES)
    words = st.sampled_from(["ok", "missing", "missing", "small", "unknown"])

    @rule(kind=kinds, added=st.lists(names, min_size=1, max_size=12), level=st.integers(0, 3), word=words)
    def the_catalog_or_the_lake_changes(self, kind, added, level, word):
        for name in added:
            self.states[kind, name] = word
            self.levels[kind, name] = level

    @rule(level=st.integers(0, 3), picks=st.sets(st.integers(0, 40), max_size=20))
    def keys_age(self, level, picks):
        for place, entry in enumerate(sorted(self.states)):
            if place in picks:
                self.levels[entry] = level

    @rule(
        word=st.sampled_from(["ok", "missing", "small", "unknown"]),
        picks=st.sets(st.integers(0, 40), max_size=20),
    )
    def keys_are_seen_otherwise(self, word, picks):
        for place, entry in enumerate(sorted(self.states)):
            if place in picks:
                self.states[entry] = word

    @rule(day=st.sampled_from(["1", "2", "3"]), have=st.integers(0, 5))
    def a_counted_partition_changes(self, day, have):
        self.numbers[day] = have

    @rule(picks=st.sets(st.integers(0, 11), max_size=4), done=st.booleans())
    def consumers_pop(self, picks, done):
        for place, task in enumerate(sorted(self.queue.values(), key=lambda one: one.id)):
            if place in picks:
                if not task.is_ours or task.state is TaskState.COOLING:
                    continue
                self.queue[task.id] = replace(task, in_list=False)
                for key in json.loads(task.body)["keys"] if done else ():
                    entry = next(
                        entry for entry in self.states if entry[0][:2] == _type(task) and entry[1] == key
                    )
                    self.states[entry] = "ok"

    @rule(minutes=st.integers(1, 20), size=st.integers(1, 4))
    def time_passes(self, minutes, size):
        self.now += timedelta(minutes=minutes)
        self.batch_size = size

    @rule(picks=st.sets(st.integers(0, 11), max_size=4))
    def consumers_claim(self, picks):
        for place, task in enumerate(sorted(self.queue.values(), key=lambda one: one.id)):
            if place in picks and not task.is_ours:
                self.queue[task.id] = replace(task, state=TaskState.CLAIMED, at=self.now)

    @rule()
    def a_cycle_runs(self):
        before = dict(self.queue)
        acted = self.cycle()
        for name in acted.withdrawn:
            del self.queue[name]
        for task in acted.reopened:
            assert self.queue[task.id].state is TaskState.CLAIMED
            self.queue[task.id] = replace(
                self.queue[task.id], state=TaskState.COOLING, priority=task.priority, body=task.body
            )
        for task in (*acted.revised, *acted.moved):
            assert self.queue[task.id].is_ours
            self.queue[task.id] = replace(self.queue[task.id], priority=task.priority, body=task.body)
        for task in acted.published:
            assert task.id not in self.queue
            assert self.all_wanted(task)
            self.queue[task.id] = OutstandingTask(task.id, task.priority, task.source, task.body)
        assert acted.outstanding == self.open_tasks()
        self.unknown_was_left_alone(before)
        again = self.cycle()
        assert again == QueuePlan(
            deferred=again.deferred, unproven=again.unproven, outstanding=self.open_tasks()
        )
        assert all(
            self.all_wanted(task) for task in self.queue.values() if task.is_ours and not self.undecided(task)
        )
        self.caps_hold()

    @invariant()
    def no_key_is_in_two_tasks(self):
        held = Counter(
            (*_type(task), key) for task in self.queue.values() for key in json.loads(task.body)["keys"]
        )
        assert not held or max(held.values()) == 1

    def groups(self):
        made = []
        for kind in TYPES:
            for word, reason in (("missing", Reason.MISSING), ("small", Reason.SMALL)):
                keys = [name for one, name in self.states if one == kind and self.states[one, name] == word]
                keys.sort(key=lambda name, kind=kind: (self.levels[kind, name], name))
                made.append(
                    group(
                        keys,
                        source=kind[0],
                        data_type=kind[1],
                        reason=reason,
                        partition={"first": "all"},
                        levels=[self.levels[kind, name] for name in keys],
                        batch_size=self.batch_size,
                        proven=kind[2],
                    )
                )
        short = {day: have for day, have in self.numbers.items() if have < 5}
        made += [
            group(counted=(have, 5), data_type="parts", partition={"day": day}) for day, have in short.items()
        ]
        return made

    def open_tasks(self):
        return sum(task.state is not TaskState.CLAIMED for task in self.queue.values())

    def cycle(self):
        return queue_plan(
            self.groups(),
            self.queue.values(),
            TINY,
            facts(as_of=self.now, undecided=self.undecided),
        )

    def undecided(self, task):
        source, data_type, keys = _parts(task)
        held = self.queue.get(task.id)
        if held is not None and held.state is TaskState.CLAIMED and held.at >= self.now:
            return True
        return any(self.word(source, data_type, key) == "unknown" for key in keys)

    def word(self, source, data_type, key):
        found = [
            word
            for (kind, name), word in self.states.items()
            if kind[:2] == (source, data_type) and name == key
        ]
        return found[0] if found else "ok"

    def all_wanted(self, task):
        source, data_type, keys = _parts(task)
        reason = json.loads(task.body)["reason"]
        return all(self.word(source, data_type, key) == reason for key in keys)

    def unknown_was_left_alone(self, before):
        for name, task in before.items():
            if self.undecided(task):
                assert self.queue[name].body == task.body
                assert self.queue[name].priority == task.priority

    def caps_hold(self):
        out = [task for task in self.queue.values() if task.state is not TaskState.CLAIMED]
        levels = Counter(task.priority for task in out)
        assert all(levels[level] <= TINY.per_level[level] for level in Priority)
        assert len(out) <= TINY.in_all
        assert sum(_type(task) == ("b", "new") for task in out) <= TINY.unproven_max


def _type(task):
    return _parts(task)[:2]


def _parts(task):
    if isinstance(task, OutstandingTask) or hasattr(task, "body"):
        document = json.loads(task.body)
        return document["source"], document["data_type"], document["keys"]
    return task.source, task.data_type, task.keys


TestLake = Lake.TestCase
TestLake.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


def test_every_body_names_its_lake():
    assert {json.loads(task.body)["lake"] for task in plan([group(["a"])]).published} == {LAKE}
