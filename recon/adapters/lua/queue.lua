-- The part that every queue_*.lua script shares; it is put in front of each of them.
-- KEYS  1-4 P:queue:critical|high|medium|low  LIST of task bodies, oldest first (what scrapers pop)
--       5   P:q:body       HASH id -> body as last published
--       6   P:q:meta       HASH id -> state,level,attempts,token,source   (state R: published, not settled)
--       7   P:q:gone       ZSET id -> when it was first noticed gone from its list, in ms
--       8   P:q:stats      HASH counter -> how often
--       9   P:q:lake       STRING, the one lake whose tasks live under this prefix
--       10  P:cycle:fence  STRING, the greatest fence that a cycle was given (ledger.lua) or wrote with
-- ARGV  1 lake | 2 fence | 3.. as each script says
-- A body opens with {"id":"<hex>"; nothing else of it is ever read here. Times are the server's.

local call = redis.call
local LISTS = {[0] = KEYS[1], KEYS[2], KEYS[3], KEYS[4]}
local BODY, META, GONE, STATS, LAKE, FENCE = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function id_of(body)
  return body and string.match(body, '^{"id":"(%x+)"')
end

-- nil where the record is damaged (an append-only file carries no checksums)
local function unpack_meta(text)
  local state, level, attempts, token, source = string.match(text, '^(%a),([0-3]),(%d+),([^,]*),(.*)$')
  return state, tonumber(level), tonumber(attempts), token, source
end

local function pack_meta(state, level, attempts, token, source)
  return state .. ',' .. level .. ',' .. attempts .. ',' .. token .. ',' .. source
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

-- Refuse before the first write: nothing of a refused call is done.
local function refusal()
  for level = 0, 3 do call('LLEN', LISTS[level]) end -- a key of another type raises here
  call('HLEN', BODY); call('HLEN', META); call('HLEN', STATS); call('ZCARD', GONE)
  local newest = call('GET', FENCE)
  if newest and (tonumber(newest) or 0) > tonumber(ARGV[2]) then
    return redis.error_reply('FENCED by ' .. newest)
  end
  local owner = call('GET', LAKE)
  if owner and owner ~= ARGV[1] then return redis.error_reply('OTHERLAKE ' .. owner) end
end

-- Write down whose queues these are and which cycle wrote last: the ledger may live on another server.
local function sign()
  if not call('GET', LAKE) then call('SET', LAKE, ARGV[1]) end
  if (tonumber(call('GET', FENCE)) or 0) < tonumber(ARGV[2]) then call('SET', FENCE, ARGV[2]) end
end

local function count(name, by)
  if by > 0 then call('HINCRBY', STATS, name, by) end
end

-- Put a body into one list, once: in place where the list holds the id already, else at the list's end.
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
  call('HSET', BODY, id, body)
  call('ZREM', GONE, id)
end

local function forget(found, id)
  for _, copy in ipairs(found[id] or {}) do call('LREM', LISTS[copy.level], -1, copy.body) end
  found[id] = nil
  call('HDEL', META, id)
  call('HDEL', BODY, id)
  call('ZREM', GONE, id)
end
