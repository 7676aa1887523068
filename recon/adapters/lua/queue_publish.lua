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

local ids = told(10, 4)
read_ahead(ids)
local function scores(set)
  local found = {}
  for at = 1, #ids, 1000 do
    local last = math.min(at + 999, #ids)
    for i, score in ipairs(call('ZMSCORE', set, unpack(ids, at, last))) do found[ids[at + i - 1]] = score end
  end
  return found
end
local claims, graves = scores(ACKED), scores(DEAD)

local function is_claimed_since(id)
  local at = tonumber(claims[id] or '')
  return at and at >= observed
end

local function enter(id, old, level, attempts, source, body)
  push(level, body)
  bodies[id] = body
  write(id, old, {state = 'R', level = level, attempts = attempts, token = '', source = source})
end

local function publish_new(id, level, source, body)
  if graves[id] then return 'dead' end
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
  push(level, body)
  pulled[#pulled + 1] = {level = task.level, body = stored}
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

local function publish(id, level, source, body)
  local task, text = record_of(id)
  if not text then return publish_new(id, level, source, body) end
  if not task then return publish_damaged(id, level, source, body) end
  if task.state == 'A' then return publish_claimed(id, task, level, source, body) end
  if task.state == 'R' then return publish_ready(id, task, level, source, body) end
  return publish_out(id, task, level, source, body)
end

local outcomes, first = {}, {}
for i = 10, #ARGV, 4 do
  local id = ARGV[i]
  if not first[id] then
    first[id] = publish(id, tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
    tally[first[id]] = tally[first[id]] + 1
  end
  outcomes[#outcomes + 1] = first[id]
end
count('published', tally.new)
count('moved', tally.moved)
count('repaired', tally.repaired)
count('reopened', tally.reopened)
if tally.new + tally.reopened > 0 then wake() end
flush()
return outcomes
