-- The part that every queue_*.lua script shares; it is put in front of each of them.
-- KEYS  1-4 P:queue:critical|high|medium|low  LIST of task bodies, oldest first (what scrapers pop)
--       5   P:q:body       HASH id -> body as last published
--       6   P:q:meta       HASH id -> state,level,attempts,token,source
--       7   P:q:lease      ZSET id -> when its lease ends, in ms
--       8   P:q:stats      HASH counter -> how often; open:<level> -> tasks that caps bound
--       9   P:q:lake       STRING, the one lake whose tasks live under this prefix
--       10  P:cycle:fence  STRING, the greatest fence that a cycle was given (ledger.lua) or wrote with
--       11  P:q:cool       ZSET id -> when it is ready again, in ms
--       12  P:q:acked      ZSET id -> when it was last claimed to be done, in ms
--       13  P:q:dead       ZSET id -> when it was given up, in ms
--       14  P:q:deadbody   HASH id -> why, a newline, level,source, a newline, body
--       15  P:q:src        HASH l:<source> -> in flight at most,ms between two,burst | f:<source> -> in flight
--                          | t:<source> -> when the rate allows the next, in ms
--       16  P:q:wake       LIST of one item for each time that something became ready, 64 at most
--       17  P:results      LIST of results, scraper -> engine
-- States: R ready (its body stands in its list) | L leased (token; '' where a plain consumer popped it)
--       | M moot (leased, and its gap is closed) | C cooling | A claimed (token: done, absent or expired)
-- A body opens with {"id":"<hex>"; nothing else of it is ever decoded here. Times are the server's.

local call = redis.call
local LISTS = {[0] = KEYS[1], KEYS[2], KEYS[3], KEYS[4]}
local BODY, META, LEASE, STATS, LAKE, FENCE = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local COOL, ACKED, DEAD, DEADBODY, SRC, WAKE, RESULTS =
  KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15], KEYS[16], KEYS[17]

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function id_of(body)
  return body and string.match(body, '^{"id":"(%x+)"')
end

-- A command over many values, in as many calls as Lua's stack needs.
local function call_all(command, key, values)
  for at = 1, #values, 1000 do call(command, key, unpack(values, at, math.min(at + 999, #values))) end
end

-- What a script changes in the records and the bodies, and whom it claims, is written once, by `flush` at its end.
local texts, bodies, sums = {}, {}, {}
local claimed, landed = {}, {} -- (when, id)* of claims | ids whose leases end
local pushed, pulled = {}, {} -- level -> bodies that go to its end | (level, body)* that leave
local read = {} -- id -> its record's text as it was read ahead, false for none

local function body_of(id) return bodies[id] or call('HGET', BODY, id) end

-- Read the records of many tasks in one go.
local function read_ahead(ids)
  for at = 1, #ids, 1000 do
    local last = math.min(at + 999, #ids)
    for i, text in ipairs(call('HMGET', META, unpack(ids, at, last))) do read[ids[at + i - 1]] = text end
  end
end

-- Every `step`th argument from the one at `first`.
local function told(first, step)
  local values = {}
  for i = first, #ARGV, step do values[#values + 1] = ARGV[i] end
  return values
end

local function text_of(id)
  if texts[id] then return texts[id] end
  if read[id] == nil then read[id] = call('HGET', META, id) end
  return read[id]
end

-- The record, and its text: only the text where it is damaged (an append-only file carries no checksums).
local function record_of(id)
  local text = text_of(id)
  local state, level, attempts, token, source =
    string.match(text or '', '^([RLMCA]),([0-3]),(%d+),([^,]*),(.*)$')
  if not state then return nil, text or nil end
  local task = {
    state = state, level = tonumber(level), attempts = tonumber(attempts), token = token, source = source,
  }
  return task, text
end

-- A counter that a flipped bit made unreadable begins anew: no operation may fail for it.
local function add(hash, name, by)
  local sum = redis.pcall('HINCRBY', hash, name, by)
  if type(sum) == 'number' then return sum end
  call('HSET', hash, name, by)
  return by
end

local function count(name, by) sums[name] = (sums[name] or 0) + by end

local OPEN = {[0] = 'open:0', 'open:1', 'open:2', 'open:3'}
local opens = {} -- level -> how many were open when the script began
local function open_at(level)
  local name = OPEN[level]
  opens[level] = opens[level] or tonumber(call('HGET', STATS, name) or '0') or 0
  return opens[level] + (sums[name] or 0)
end

local function hset_all(hash, values)
  local flat = {}
  for name, value in pairs(values) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  call_all('HSET', hash, flat)
end

local function push(level, body)
  pushed[level] = pushed[level] or {}
  table.insert(pushed[level], body)
end

local function flush()
  for level, copies in pairs(pushed) do call_all('RPUSH', LISTS[level], copies) end
  for _, copy in ipairs(pulled) do call('LREM', LISTS[copy.level], -1, copy.body) end
  hset_all(META, texts)
  hset_all(BODY, bodies)
  call_all('ZREM', LEASE, landed)
  call_all('ZADD', ACKED, claimed)
  for name, by in pairs(sums) do
    if by ~= 0 then add(STATS, name, by) end
  end
  texts, bodies, sums, claimed, landed, read, pushed, pulled = {}, {}, {}, {}, {}, {}, {}, {}
end

-- Caps bound what is ready, out, or about to be ready; a claimed task only waits to be looked at.
local function is_open(task) return task and task.state ~= 'A' end

local function in_flight(task) return task and (task.state == 'L' or task.state == 'M') end

local function limits_of(source)
  local text = call('HGET', SRC, 'l:' .. source)
  if not text then return nil end
  local most, interval, burst = string.match(text, '^(%d+),(%d+),(%d+)$')
  return {most = tonumber(most) or 0, interval = tonumber(interval) or 0, burst = tonumber(burst) or 1}
end

local limited = {} -- source -> whether it has limits
local function flies(source, by)
  if limited[source] == nil then limited[source] = call('HEXISTS', SRC, 'l:' .. source) == 1 end
  if limited[source] and add(SRC, 'f:' .. source, by) < 0 then
    call('HSET', SRC, 'f:' .. source, 0)
  end
end

-- Tell the books of a task's change from `old` to `new`; nil stands for none.
local function book(old, new)
  if is_open(old) and not (is_open(new) and new.level == old.level) then count(OPEN[old.level], -1) end
  if is_open(new) and not (is_open(old) and new.level == old.level) then count(OPEN[new.level], 1) end
  if in_flight(old) and not in_flight(new) then flies(old.source, -1) end
  if in_flight(new) and not in_flight(old) then flies(new.source, 1) end
end

local function write(id, old, new)
  texts[id] = new.state .. ',' .. new.level .. ',' .. new.attempts .. ',' .. new.token .. ',' .. new.source
  book(old, new)
end

local function with(task, state, token)
  return {state = state, level = task.level, attempts = task.attempts, token = token or '', source = task.source}
end

local function erase(id, old)
  texts[id], bodies[id], read[id] = nil, nil, false
  call('HDEL', META, id)
  call('HDEL', BODY, id)
  call('ZREM', LEASE, id)
  call('ZREM', COOL, id)
  book(old, nil)
end

-- A full server refuses a script at its first write that needs memory, unless one that needs none came before.
local function allow_when_full() call('ZREM', COOL, '') end

local function wake()
  if call('LLEN', WAKE) < 64 then call('RPUSH', WAKE, '1') end
end

local function dead_text(why, level, source, body)
  return string.gsub(why, '\n', ' ') .. '\n' .. level .. ',' .. string.gsub(source, '\n', ' ') .. '\n' .. body
end

local function bury(id, task, why)
  local body = body_of(id) or ''
  call('ZADD', DEAD, now, id)
  call('HSET', DEADBODY, id, dead_text(why, task.level, task.source, body))
  erase(id, task)
  count('dead', 1)
end

-- Equal jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), drawn from the id.
local function backoff(id, attempts, base, most)
  local wait = math.min(base * 2 ^ math.max(attempts - 1, 0), most)
  local at = (attempts * 5) % 24 + 1
  local part = (tonumber(string.sub(id, at, at + 5), 16) or 0) / 16777216
  return math.floor(wait / 2 + part * wait / 2)
end

local function cool(id, task, wait)
  call('ZREM', LEASE, id)
  call('ZADD', COOL, now + wait, id)
  write(id, task, with(task, 'C'))
end

-- Cooling, or dead after `most_attempts` deliveries; returns whether it may come back.
local function retry(id, task, wait, most_attempts, why)
  if task.attempts >= most_attempts then
    bury(id, task, why)
    return false
  end
  cool(id, task, wait)
  return true
end

-- Put cooling tasks that are due back into their lists.
local function promote(most)
  local due = call('ZRANGEBYSCORE', COOL, '-inf', now, 'LIMIT', 0, most)
  local promoted = 0
  for _, id in ipairs(due) do
    local task = record_of(id)
    local body = body_of(id)
    call('ZREM', COOL, id)
    if task and task.state == 'C' and id_of(body) == id then
      call('RPUSH', LISTS[task.level], body)
      write(id, task, with(task, 'R'))
      promoted = promoted + 1
    end
  end
  if promoted > 0 then wake() end
  return promoted
end

-- A claim: the body stays until the engine has looked.
local function claim(id, task, how, at)
  if in_flight(task) then landed[#landed + 1] = id end
  if task.state == 'C' then call('ZREM', COOL, id) end
  claimed[#claimed + 1] = at or now
  claimed[#claimed + 1] = id
  write(id, task, with(task, 'A', how))
end

local function unlist(task, id)
  return call('LREM', LISTS[task.level], -1, body_of(id) or '')
end

-- id -> every {level, body} that stands in a list under that id; what is not a task has no id
local function listed()
  local found = {}
  for level = 0, 3 do
    for _, body in ipairs(call('LRANGE', LISTS[level], 0, -1)) do
      local id = id_of(body)
      if id then
        found[id] = found[id] or {}
        table.insert(found[id], {level = level, body = body})
      end
    end
  end
  return found
end

-- Refuse before the first write: nothing of a refused call is done. An empty fence is no cycle's, and not asked.
local function refusal()
  for level = 0, 3 do call('LLEN', LISTS[level]) end -- a key of another type raises here
  for _, hash in ipairs({BODY, META, STATS, DEADBODY, SRC}) do call('HLEN', hash) end
  for _, set in ipairs({LEASE, COOL, ACKED, DEAD}) do call('ZCARD', set) end
  local newest = call('GET', FENCE)
  if ARGV[2] ~= '' and newest and (tonumber(newest) or 0) > tonumber(ARGV[2]) then
    return redis.error_reply('FENCED by ' .. newest)
  end
  local owner = call('GET', LAKE)
  if owner and owner ~= ARGV[1] then return redis.error_reply('OTHERLAKE ' .. owner) end
end

-- Write down whose queues these are and which cycle wrote last: the ledger may live on another server.
local function sign()
  if not call('GET', LAKE) then call('SET', LAKE, ARGV[1]) end
  if (tonumber(call('GET', FENCE)) or 0) < (tonumber(ARGV[2]) or 0) then call('SET', FENCE, ARGV[2]) end
end

-- Take every copy of a task out of the lists.
local function unlist_all(found, id)
  for _, copy in ipairs(found[id] or {}) do call('LREM', LISTS[copy.level], -1, copy.body) end
  found[id] = nil
end

-- Put a ready task's body into one list, once: in place where it stands there already, else at the end.
-- The write that a full server refuses comes first, so that it refuses the whole call.
local function place(found, id, level, body)
  local kept
  for at, copy in ipairs(found[id] or {}) do
    if copy.level == level then
      kept = at
      if copy.body ~= body then call('LSET', LISTS[level], call('LPOS', LISTS[level], copy.body), body) end
      break
    end
  end
  if not kept then call('RPUSH', LISTS[level], body) end
  for at, copy in ipairs(found[id] or {}) do
    if at ~= kept then call('LREM', LISTS[copy.level], -1, copy.body) end
  end
  found[id] = {{level = level, body = body}}
  bodies[id] = body
end
