-- Publishes tasks; returns one word per task:
-- new, duplicate, moved, repaired, deferred, suppressed, reopened or dead.
-- KEYS  queue.lua
-- ARGV  1 lake | 2 fence | 3 how many new ones at most | 4-7 cap per level | 8 observed at, in ms
--       | 9 deliveries at most | 10.. (id, level, source, body)*

local refused = refusal()
if refused then return refused end
sign()

local observed, most_attempts = tonumber(ARGV[8]), tonumber(ARGV[9])
local allowed = tonumber(ARGV[3])
local tally = {
  new = 0, duplicate = 0, moved = 0, repaired = 0, deferred = 0, suppressed = 0, reopened = 0, dead = 0,
}
local every -- what stands in the lists, read where a record is damaged

local function has_room(level)
  return tonumber(ARGV[4 + level]) > open_at(level)
end

local function is_claimed_since(id)
  local at = tonumber(call('ZSCORE', ACKED, id) or '')
  return at and at >= observed
end

local function enter(id, old, level, attempts, source, body)
  call('RPUSH', LISTS[level], body)
  bodies[id] = body
  write(id, old, {state = 'R', level = level, attempts = attempts, token = '', source = source})
end

local function publish_new(id, level, source, body)
  if call('ZSCORE', DEAD, id) then return 'dead' end
  if is_claimed_since(id) then return 'suppressed' end
  if tally.new >= allowed or not has_room(level) then return 'deferred' end
  enter(id, nil, level, 0, source, body)
  return 'new'
end

-- Claimed, and not there when somebody looked later: the claim was false.
local function publish_claimed(id, task, level, source, body)
  if is_claimed_since(id) then return 'suppressed' end
  if task.attempts >= most_attempts then
    bodies[id] = body
    bury(id, task, 'claimed ' .. task.attempts .. ' times, and never there')
    return 'dead'
  end
  if not has_room(level) then return 'deferred' end
  enter(id, task, level, task.attempts, source, body)
  return 'reopened'
end

local function publish_ready(id, task, level, source, body)
  local stored = body_of(id)
  if level ~= task.level and not has_room(level) then return 'duplicate' end -- stays until there is room
  if level == task.level and stored == body then return 'duplicate' end
  local at = stored and call('LPOS', LISTS[task.level], stored)
  if not at then -- a plain consumer has it: it cannot move, but what would come back is put right
    if level ~= task.level or stored == body then return 'duplicate' end
    bodies[id] = body
    return 'repaired'
  end
  if level == task.level then
    call('LSET', LISTS[level], at, body)
    bodies[id] = body
    return 'repaired'
  end
  call('RPUSH', LISTS[level], body)
  call('LREM', LISTS[task.level], -1, stored)
  bodies[id] = body
  write(id, task, {state = 'R', level = level, attempts = task.attempts, token = '', source = source})
  return 'moved'
end

-- Out, or cooling: a consumer's copy cannot move, a cooling one has no copy.
local function publish_out(id, task, level, source, body)
  local outcome = 'duplicate'
  if task.state == 'M' then write(id, task, with(task, 'L', task.token)) end
  local moves = level ~= task.level
  if moves and (task.state ~= 'C' or not has_room(level)) then return outcome end
  if body_of(id) ~= body then
    bodies[id] = body
    outcome = 'repaired'
  end
  if moves then
    write(id, task, {state = 'C', level = level, attempts = task.attempts, token = '', source = source})
    outcome = 'moved'
  end
  return outcome
end

-- The record is unreadable: write it anew; without a copy in a list it counts as popped.
local function publish_damaged(id, level, source, body)
  every = every or listed()
  if every[id] then place(every, id, level, body) else bodies[id] = body end
  write(id, nil, {state = 'R', level = level, attempts = 0, token = '', source = source})
  return 'repaired'
end

local outcomes = {}
for i = 10, #ARGV, 4 do
  local id, level, source, body = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local task, text = record_of(id)
  local outcome
  if not text then
    outcome = publish_new(id, level, source, body)
  elseif not task then
    outcome = publish_damaged(id, level, source, body)
  elseif task.state == 'A' then
    outcome = publish_claimed(id, task, level, source, body)
  elseif task.state == 'R' then
    outcome = publish_ready(id, task, level, source, body)
  else
    outcome = publish_out(id, task, level, source, body)
  end
  tally[outcome] = tally[outcome] + 1
  outcomes[#outcomes + 1] = outcome
end
count('published', tally.new)
count('moved', tally.moved)
count('repaired', tally.repaired)
count('reopened', tally.reopened)
if tally.new + tally.reopened > 0 then wake() end
flush()
return outcomes
