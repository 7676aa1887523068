"""One cycle at a time, every shard counted once, and nothing left behind."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.adapters.ledger import RedisLedger
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.errors import BrokerError, CycleFencedError, CycleLockedError

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def ledger(broker) -> RedisLedger:
    return RedisLedger(broker)


def opened(ledger: RedisLedger, cycle_id: str, *shards: str) -> RedisLedger:
    ledger.acquire(cycle_id)
    ledger.open(cycle_id, shards, NOW)
    return ledger


def lose_lock(redis_server) -> None:
    """Let the lock expire, as when every process of its cycle was killed."""
    redis_server.client.delete("recon:cycle:lock")


# ---- the lock and the fence


def test_a_second_cycle_is_told_who_holds_the_lock_and_for_how_long(ledger):
    ledger.acquire("one")
    with pytest.raises(CycleLockedError, match=r"cycle one holds the lock.*expires in 1[12]\d s"):
        ledger.acquire("two")
    assert ledger.current() == "one"


def test_fences_grow_and_stay_the_same_for_one_cycle(ledger):
    fences = []
    for cycle_id in ("one", "two", "three"):
        fences.append(ledger.acquire(cycle_id))
        assert ledger.acquire(cycle_id) == fences[-1]
        ledger.release(cycle_id)
    assert fences == sorted(set(fences))


def test_fences_grow_even_when_redis_lost_its_data(ledger, redis_server):
    first = ledger.acquire("one")
    time.sleep(1.1)
    redis_server.client.flushall()
    assert ledger.acquire("two") > first


def test_only_the_holder_gives_the_lock_back(ledger):
    ledger.acquire("one")
    ledger.release("two")
    assert ledger.current() == "one"
    ledger.release("one")
    assert ledger.current() is None


def test_of_many_cycles_at_once_one_gets_the_lock(ledger):
    def attempt(number: int) -> bool:
        try:
            ledger.acquire(f"c{number}")
        except CycleLockedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 1


def test_a_lock_that_nobody_renews_expires(broker):
    ledger = RedisLedger(broker, ttl_s=0.05)
    ledger.acquire("one")
    time.sleep(0.1)
    assert ledger.current() is None


def test_a_held_lock_outlives_its_time_to_live(broker):
    ledger = RedisLedger(broker, ttl_s=1.0)
    ledger.acquire("one")
    with ledger.hold("one"):
        time.sleep(1.6)
        assert ledger.current() == "one"
    assert not [thread for thread in threading.enumerate() if "lock of" in thread.name]


def test_the_thread_that_holds_ends_with_the_block_at_once(ledger):
    ledger.acquire("one")
    started = time.monotonic()
    with pytest.raises(KeyError), ledger.hold("one"):
        raise KeyError
    assert time.monotonic() - started < 5


def test_every_result_renews_the_lock(broker, redis_server):
    ledger = opened(RedisLedger(broker, ttl_s=60), "one", "a", "b")
    redis_server.client.pexpire("recon:cycle:lock", 1000)
    ledger.done("one", "a", "ref")
    assert redis_server.client.pttl("recon:cycle:lock") > 50_000


def test_a_cycle_takes_its_expired_lock_again_while_no_newer_one_has_begun(ledger, redis_server):
    fence = ledger.acquire("one")
    lose_lock(redis_server)
    assert ledger.acquire("one") == fence


def test_an_overtaken_cycle_stays_out_even_when_the_lock_is_free_again(ledger, redis_server):
    ledger.acquire("old")
    lose_lock(redis_server)
    ledger.acquire("new")
    ledger.release("new")
    with pytest.raises(CycleFencedError, match="newer cycle"):
        ledger.acquire("old")


def test_holding_does_not_take_a_lock_back_that_was_given_back_or_taken_over(broker, redis_server, caplog):
    ledger = RedisLedger(broker, ttl_s=0.3)
    ledger.acquire("one")
    with ledger.hold("one"):
        ledger.release("one")
        time.sleep(0.5)
        assert ledger.current() is None
    ledger.acquire("two")
    with ledger.hold("one"):
        time.sleep(0.5)
    assert ledger.current() != "one"
    assert "no longer holds the lock" in caplog.text


def test_holding_goes_on_through_an_outage(broker, redis_server, caplog):
    ledger = RedisLedger(broker, ttl_s=1.0)
    ledger.acquire("one")
    with ledger.hold("one"):
        redis_server.client.rename("recon:cycle:lock", "aside")
        redis_server.client.hset("recon:cycle:lock", "in the way", 1)
        time.sleep(0.8)
        redis_server.client.delete("recon:cycle:lock")
        time.sleep(0.8)
        assert ledger.current() == "one"
    assert "was not renewed" in caplog.text


def test_the_queues_refuse_a_cycle_that_lost_its_lock(ledger, broker, redis_server):
    queue = RedisTaskQueue(broker, lake="s3://l")
    old = ledger.acquire("old")
    queue.withdraw(["0" * 32], fence=old)
    lose_lock(redis_server)
    new = ledger.acquire("new")
    with pytest.raises(CycleFencedError):
        queue.withdraw(["0" * 32], fence=old)
    queue.withdraw(["0" * 32], fence=new)


# ---- shards


def test_each_shard_counts_once_and_its_first_ref_stands(ledger):
    opened(ledger, "one", "a", "b", "c")
    assert ledger.done("one", "a", "first") == 2
    assert ledger.done("one", "a", "second") == 2
    assert ledger.done("one", "b", "x") == 1
    assert ledger.remaining("one") == ["c"]
    assert ledger.refs("one") == {"a": "first", "b": "x"}


def test_opening_again_does_not_ask_for_what_has_reported(ledger):
    opened(ledger, "one", "a", "b")
    ledger.done("one", "a", "r")
    ledger.open("one", ["a", "b"], NOW)
    assert ledger.remaining("one") == ["b"]


def test_a_shard_that_was_never_planned_is_not_recorded(ledger):
    opened(ledger, "one", "a")
    assert ledger.done("one", "stranger", "r") == 1
    assert ledger.refs("one") == {}


def test_a_result_for_a_ledger_that_is_gone_is_an_error_never_completion(ledger, redis_server):
    opened(ledger, "one", "a")
    redis_server.client.flushall()
    with pytest.raises(BrokerError, match="ledger of cycle one is gone"):
        ledger.done("one", "a", "r")
    assert redis_server.client.dbsize() == 0


def test_overdue_are_the_shards_that_were_sent_too_long_ago_and_have_not_reported(ledger):
    opened(ledger, "one", "a", "b", "c")
    time.sleep(0.3)
    ledger.dispatched("one", ["b", "stranger"])
    ledger.done("one", "c", "r")
    assert ledger.overdue("one", 0.2) == ["a"]
    assert ledger.overdue("one", 60) == []


def test_many_threads_reporting_at_once_leave_exactly_one_zero(ledger):
    shards = [f"s{number}" for number in range(100)]
    opened(ledger, "one", *shards)
    with ThreadPoolExecutor(8) as pool:
        remain = list(pool.map(lambda shard: ledger.done("one", shard, f"ref of {shard}"), shards))
    assert sorted(remain) == list(range(100))
    assert ledger.refs("one") == {shard: f"ref of {shard}" for shard in shards}


# ---- the final step


def test_one_finisher_at_a_time_and_none_after_the_end(ledger):
    opened(ledger, "one", "a")
    assert ledger.finish("one", "first", 30)
    assert ledger.finish("one", "first", 30)
    assert not ledger.finish("one", "second", 30)
    ledger.finished("one")
    assert not ledger.finish("one", "first", 30)


def test_a_finisher_that_died_is_succeeded_after_its_lease(ledger):
    opened(ledger, "one", "a")
    assert ledger.finish("one", "first", 0.05)
    time.sleep(0.1)
    assert ledger.finish("one", "second", 30)


def test_a_cycle_that_was_never_opened_cannot_finish(ledger):
    assert not ledger.finish("none", "x", 30)


def test_a_finished_cycle_neither_starts_again_nor_takes_late_results(ledger):
    opened(ledger, "one", "a", "b")
    ledger.done("one", "a", "r")
    ledger.finished("one")
    ledger.release("one")
    for attempt in (lambda: ledger.acquire("one"), lambda: ledger.open("one", ["a"], NOW)):
        with pytest.raises(CycleFencedError, match="finished"):
            attempt()
    ledger.done("one", "b", "late")
    assert ledger.refs("one") == {"a": "r"}
    assert ledger.current() is None


def test_open_cycles_are_those_that_have_not_finished(ledger):
    for cycle_id in ("one", "two", "three"):
        opened(ledger, cycle_id, "a")
        ledger.release(cycle_id)
    ledger.finished("two")
    assert ledger.open_cycles() == ["one", "three"]


def test_a_cycle_that_was_silent_for_longer_than_its_keys_are_kept_is_not_open(broker):
    ledger = opened(RedisLedger(broker, keep_s=0.1), "one", "a")
    time.sleep(0.15)
    assert ledger.open_cycles() == []
    assert ledger.remaining("one") == []


def test_a_finisher_keeps_its_lease_while_it_works(broker):
    ledger = opened(RedisLedger(broker), "one", "a")
    assert ledger.finish("one", "first", 0.15)
    with ledger.hold("one", "first", 0.15):
        time.sleep(0.4)
        assert not ledger.finish("one", "second", 0.15)
    time.sleep(0.2)
    assert ledger.finish("one", "second", 0.15)


def test_the_end_of_a_cycle_gives_its_lock_back_and_no_other(ledger, redis_server):
    opened(ledger, "one", "a").finished("one")
    assert ledger.current() is None
    opened(ledger, "two", "a")
    lose_lock(redis_server)
    ledger.acquire("three")
    ledger.finished("two")
    assert ledger.current() == "three"


# ---- slots, overlaps, leftovers


def test_two_beats_yield_one_cycle_per_slot(ledger, broker):
    other = RedisLedger(broker)
    taken = [beat.take_slot(every_s) for every_s in (1e7, 2e7) for beat in (ledger, other)]
    assert taken == [True, False, True, False]


def test_slots_are_intervals_of_redis_own_time(ledger, redis_server):
    assert ledger.take_slot(1e7)
    now_s, _ = redis_server.client.time()
    assert redis_server.client.keys("recon:cycle:slot:*") == [b"recon:cycle:slot:%d" % (now_s // 1e7)]


def test_overlapping_firings_are_counted(ledger):
    assert ledger.stats() == {"skipped_overlap": 0}
    ledger.record_overlap()
    ledger.record_overlap()
    assert ledger.stats() == {"skipped_overlap": 2}


def test_a_thousand_cycles_leave_nothing_behind(broker, redis_server):
    ledger = RedisLedger(broker, ttl_s=60, keep_s=1, keep_finished_s=0.5)
    for number in range(1000):
        cycle_id = f"c{number}"
        ledger.take_slot(1e-6)
        opened(ledger, cycle_id, "a", "b")
        ledger.done(cycle_id, "a", "r")
        if number % 2:
            ledger.finished(cycle_id)
        ledger.done(cycle_id, "b", "late")
        ledger.release(cycle_id)
    time.sleep(1.1)
    assert set(redis_server.client.scan_iter()) == {b"recon:cycle:fence"}


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "done", "dispatched", "finish", "finished"]), st.integers(0, 3)),
    max_size=25,
)


def test_any_order_and_repetition_of_steps_counts_every_shard_once(broker, redis_server):
    cycles = iter(range(10**6))

    @settings(max_examples=50, deadline=None)
    @given(STEPS)
    def check(steps):
        ledger, cycle_id = RedisLedger(broker), f"h{next(cycles)}"
        planned: set[str] = set()
        refs: dict[str, str] = {}
        is_open = is_finished = False
        for at, (step, number) in enumerate(steps):
            shard = f"s{number}"
            match step:
                case "open" if not is_finished:
                    ledger.open(cycle_id, [shard], NOW)
                    planned.add(shard)
                    is_open = True
                case "done" if is_open:
                    if shard in planned and not is_finished:
                        refs.setdefault(shard, f"r{at}")
                    assert ledger.done(cycle_id, shard, f"r{at}") == len(planned) - len(refs)
                case "dispatched":
                    ledger.dispatched(cycle_id, [shard])
                case "finish":
                    assert ledger.finish(cycle_id, "me", 30) == (is_open and not is_finished)
                case "finished" if is_open:
                    ledger.finished(cycle_id)
                    is_finished = True
        assert ledger.refs(cycle_id) == refs
        assert ledger.remaining(cycle_id) == sorted(planned - refs.keys())
        assert (cycle_id in ledger.open_cycles()) == (is_open and not is_finished)
        assert not [
            key for key in redis_server.client.scan_iter(f"*{cycle_id}*") if redis_server.client.ttl(key) < 0
        ]

    check()


def test_a_silent_redis_is_a_broker_error(tmp_path):
    broker = RedisBroker.connect(f"unix://{tmp_path}/none.sock")
    with pytest.raises(BrokerError, match="check that the server runs"):
        RedisLedger(broker).acquire("one")
    broker.close()
