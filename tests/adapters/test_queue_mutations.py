"""The model beside the queues notices a fault of one line in their scripts, whichever it is."""

# ruff: noqa: E501 - a fault stands on one line

from __future__ import annotations

from importlib.resources import files

import pytest
from queue_machine import QueueParts
from queue_walk import walk
from redis_servers import binary_of, running

from recon.adapters.redis_client import RedisBroker, broker
from recon.errors import BrokerError

#: Steps of one walk, and how many walks are taken before a fault counts as not noticed.
STEPS, WALKS = 200, 16

#: What goes wrong -> the script, its line, and the line in its place.
FAULTS = {
    "a settled task keeps its lease": ("queue.lua", "  call_all('ZREM', LEASE, landed)\n", ""),
    "a withdrawn task keeps its lease": ("queue.lua", "  call('HDEL', BODY, id)\n  call('ZREM', LEASE, id)", "  call('HDEL', BODY, id)"),
    "an erased task keeps its body": ("queue.lua", "  call('HDEL', META, id)\n  call('HDEL', BODY, id)", "  call('HDEL', META, id)"),
    "a cooled task is not taken off the cooling ones": ("queue.lua", "    call('ZREM', COOL, id)\n    if task and task.state == 'C'", "    if task and task.state == 'C'"),
    "a cooled task comes back to another level": ("queue.lua", "      call('RPUSH', LISTS[task.level], body)\n      write(id, task, with(task, 'R'))", "      call('RPUSH', LISTS[0], body)\n      write(id, task, with(task, 'R'))"),
    "caps count what is out no longer": ("queue.lua", "return task and task.state ~= 'A' end", "return task and task.state == 'R' end"),
    "caps count claims": ("queue.lua", "return task and task.state ~= 'A' end", "return task end"),
    "in flight is never counted down": ("queue.lua", "then flies(old.source, -1) end", "then flies(old.source, 0) end"),
    "the moot are not in flight": ("queue.lua", "(task.state == 'L' or task.state == 'M') end", "task.state == 'L' end"),
    "no task ever dies": ("queue.lua", "if task.attempts >= most_attempts then", "if task.attempts >= 1000 then"),
    "a task dies one delivery early": ("queue.lua", "if task.attempts >= most_attempts then", "if task.attempts + 1 >= most_attempts then"),
    "waits do not grow": ("queue.lua", "base * 2 ^ math.max(attempts - 1, 0)", "base"),
    "a dead task forgets its level": ("queue.lua", "dead_text(why, task.level,", "dead_text(why, 0,"),
    "a body is repaired in the list only": ("queue_publish.lua", "    call('LSET', LISTS[level], at, body)\n    bodies[id] = body", "    call('LSET', LISTS[level], at, body)"),
    "bodies are not compared": ("queue_publish.lua", "if level == task.level and stored == body then", "if level == task.level then"),
    "new tasks are not put into their lists": ("queue.lua", "call_all('RPUSH', LISTS[level], copies)", ""),
    "claims are not known": ("queue.lua", "  call_all('ZADD', ACKED, claimed)\n", ""),
    "records are not written": ("queue.lua", "  hset_all(META, texts)\n", ""),
    "bodies are not written": ("queue.lua", "  hset_all(BODY, bodies)\n", ""),
    "caps forget what this publication took": ("queue.lua", "return opens[level] + (sums[name] or 0)", "return opens[level]"),
    "a claim keeps cooling": ("queue.lua", "  if task.state == 'C' then call('ZREM', COOL, id) end\n", ""),
    "a moved task stays in its old list": ("queue_publish.lua", "  pulled[#pulled + 1] = {level = task.level, body = stored}\n", ""),
    "a moved task is counted where it was": ("queue_publish.lua", "write(id, task, {state = 'R', level = level, attempts = task.attempts, token = '', source = source})", "write(id, task, {state = 'R', level = task.level, attempts = task.attempts, token = '', source = source})"),
    "a claim suppresses nothing": ("queue_publish.lua", "  if is_claimed_since(id) then return 'suppressed' end\n  if tally.new", "  if tally.new"),
    "a claim suppresses what was seen after it": ("queue_publish.lua", "return at and at >= observed", "return at"),
    "a claim that is not borne out is published as a duplicate": ("queue_publish.lua", "  if task.state == 'A' then return publish_claimed", "  if task.state == '-' then return publish_claimed"),
    "caps are not asked": ("queue_publish.lua", "if tally.new >= allowed or not has_room(level) then", "if tally.new >= allowed then"),
    "a move does not ask its cap": ("queue_publish.lua", "if level ~= task.level and not has_room(level) then return 'duplicate' end", ""),
    "the dead are published again": ("queue_publish.lua", "  if graves[id] then return 'dead' end\n", ""),
    "a wanted task stays moot": ("queue_publish.lua", "  if task.state == 'M' then write(id, task, with(task, 'L', task.token)) end\n", ""),
    "a leased task is not marked": ("queue_lease.lua", "  write(id, task, leased)\n", ""),
    "a lease has no end": ("queue_lease.lua", "call_all('ZADD', LEASE, ends)\n", ""),
    "a delivery is not counted": ("queue_lease.lua", "leased.attempts = task.attempts + 1", "leased.attempts = task.attempts"),
    "limits are not asked": ("queue_lease.lua", "if limits.most > 0 and flying >= limits.most then", "if false then"),
    "a limited lease leaves its copy": ("queue_lease.lua", "      if may_fly(task.source) then\n        call('LREM', LISTS[level], 1, body)", "      if may_fly(task.source) then"),
    "any scraper gets any task": ("queue_lease.lua", "  return false\nend\n\n-- Whatever comes first", "  return true\nend\n\n-- Whatever comes first"),
    "cooled tasks wait for a tick": ("queue_lease.lua", "promote(32)\n", ""),
    "levels are looked at in one order": ("queue_lease.lua", "for level in string.gmatch(ARGV[4], '%d') do", "for level in string.gmatch('0123', '%d') do"),
    "a heartbeat asks no token": ("queue_heartbeat.lua", "if task and task.token == ARGV[i + 1] and in_flight(task) then", "if in_flight(task) then"),
    "a heartbeat extends nothing": ("queue_heartbeat.lua", "    call('ZADD', LEASE, 'XX', now + tonumber(ARGV[1]), ARGV[i])\n", ""),
    "a heartbeat does not tell of a cancellation": ("queue_heartbeat.lua", "task.state == 'M' and 'cancelled' or", ""),
    "settling asks no token": ("queue_settle.lua", "    if task.token ~= token and (task.token ~= '' or not is_claim) then return 'taken' end\n", ""),
    "an old lease's failure counts against a plain delivery": ("queue_settle.lua", "if task.token ~= token and (task.token ~= '' or not is_claim) then", "if task.token ~= '' and task.token ~= token then"),
    "a late claim leaves the copy in its list": ("queue_settle.lua", "  if task.state == 'R' then unlist(task, id) end\n", ""),
    "a late failure counts": ("queue_settle.lua", "  elseif not is_claim then\n    return 'late'", "  elseif false then\n    return 'late'"),
    "a claim can be settled twice": ("queue_settle.lua", "  if task.state == 'A' then return 'repeated' end\n", ""),
    "a moot task lives on": ("queue_settle.lua", "  if task.state == 'M' then\n    erase(id, task)\n  elseif", "  if"),
    "poison is tried again": ("queue_settle.lua", "  elseif status == 'poison' then\n    bury(id, task, why)\n", ""),
    "the engine hears of no result": ("queue_settle.lua", "call_all('RPUSH', RESULTS, results)\n", ""),
    "a release pushes two copies": ("queue_release.lua", "    call('LPUSH', LISTS[task.level], body)\n", "    call('LPUSH', LISTS[task.level], body, body)\n"),
    "a release refunds nothing": ("queue_release.lua", "back.attempts = math.max(task.attempts - 1, 0)", "back.attempts = task.attempts"),
    "a release asks no token": ("queue_release.lua", "if not (task and task.token == token and in_flight(task)) then", "if not in_flight(task) then"),
    "a release goes last": ("queue_release.lua", "call('LPUSH', LISTS[task.level], body)", "call('RPUSH', LISTS[task.level], body)"),
    "a release keeps the lease": ("queue_release.lua", "  call('ZREM', LEASE, id)\n", ""),
    "a false claim stays known": ("queue_reopen.lua", "  call('ZREM', ACKED, id)\n", ""),
    "a false claim is not worded anew": ("queue_reopen.lua", "  bodies[id] = body\n  task.level", "  task.level"),
    "any task can be reopened": ("queue_reopen.lua", "if not task or task.state ~= 'A' then", "if not task then"),
    "any task can be closed": ("queue_close.lua", "if task and task.state == 'A' then", "if task then"),
    "a requeued task keeps its attempts": ("queue_requeue.lua", "    back.attempts = 0\n", ""),
    "a requeued task is cooling too": ("queue_requeue.lua", "    call('ZREM', COOL, id)\n", ""),
    "a requeued task is dead too": ("queue_requeue.lua", "  call('ZREM', DEAD, id)\n", ""),
    "a leased task can be requeued": ("queue_requeue.lua", "    if in_flight(task) then return 'leased' end\n", ""),
    "a revision is kept from the list": ("queue_revise.lua", "    call('LSET', LISTS[task.level], at, body)\n", ""),
    "a withdrawn task stays in its list": ("queue_withdraw.lua", "  elseif task.state == 'R' then\n    unlist(task, id)\n", ""),
    "a leased task is withdrawn from under its holder": ("queue_withdraw.lua", "    write(id, task, with(task, 'M', task.token))\n    return 'moot'\n", ""),
    "leases never end": ("queue_tick.lua", "call('ZRANGEBYSCORE', LEASE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)", "{}"),
    "an ended lease is ready at once, its attempts not asked": ("queue_tick.lua", "elseif retry(id, task, backoff(id, task.attempts, first, longest), most_attempts, 'its lease ended') then", "elseif retry(id, task, 0, 1000, 'its lease ended') then"),
    "a plain consumer's time ends without a look": ("queue_tick.lua", "  elseif task.token == '' then", "  elseif false then"),
    "nothing is adopted": ("queue_tick.lua", "    elseif adopted < most then", "    elseif false then"),
    "an adoption is no delivery": ("queue_tick.lua", "      popped.attempts = task.attempts + 1\n", ""),
    "second copies stay": ("queue_tick.lua", "      place(found, id, copy.level, copy.body)\n      mended = mended + 1\n    end\n    if copy", "    end\n    if copy"),
    "a copy of a task that is out stays": ("queue_tick.lua", "      unlist_all(found, id)\n    end\n    mended", "    end\n    mended"),
    "a copy that was pushed back costs an attempt": ("queue_tick.lua", "math.max(task.attempts - 1, 0)", "task.attempts"),
    "a record without a body stays": ("queue_tick.lua", "  elseif task and not is_whole then\n    erase(id, task)\n", "  elseif task and not is_whole then\n"),
    "a body without a record stays": ("queue_tick.lua", "if call('HEXISTS', META, id) == 0 then call('HDEL', BODY, id) end", ""),
    "a lost lease has no end": ("queue_tick.lua", "      if not call('ZSCORE', LEASE, id) then call('ZADD', LEASE, now + visibility, id) end\n", ""),
    "what lost its cooling cools for ever": ("queue_tick.lua", "call('ZADD', COOL, now, id)", "call('ZADD', COOL, 'XX', now, id)"),
    "a lease of nothing stays": ("queue_tick.lua", "    if not fits then call('ZREM', set, id) end\n", ""),
    "the counters of caps drift": ("queue_tick.lua", "if open[level] ~= 0 or call('HEXISTS', STATS, name) == 1 then", "if false then"),
}  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with running(binary_of("valkey-9"), "--appendonly", "no") as started:
        yield started


@pytest.fixture
def parts(server):
    broker = RedisBroker.connect(server.url)
    yield QueueParts(server.client, broker)
    broker.close()


def take_walks(parts: QueueParts) -> None:
    for seed in range(WALKS):
        walk(parts, seed, STEPS, losing=bool(seed % 2))


def test_the_scripts_as_they_are_have_none_of_these_faults(parts):
    take_walks(parts)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_line_is_noticed(parts, monkeypatch, fault):
    script, line, instead = FAULTS[fault]
    folder = files("recon.adapters") / "lua"
    assert (folder / script).read_text("utf-8").count(line) == 1, f"{script} no longer has this line once"

    def faulty(name: str) -> str:
        texts = {part: (folder / part).read_text("utf-8") for part in ("queue.lua", f"{name}.lua")}
        return "\n".join(
            text.replace(line, instead) if part == script else text for part, text in texts.items()
        )

    monkeypatch.setattr(broker, "script_text", faulty)
    with pytest.raises((AssertionError, BrokerError, ValueError), match=r"\S") as noticed:
        take_walks(parts)
    assert "user_script" not in str(noticed.value), f"the fault does not run: {noticed.value}"
