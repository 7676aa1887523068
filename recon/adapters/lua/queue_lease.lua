-- Leases ready tasks; returns (id, level, attempts, body) of each.
-- KEYS  queue.lua
-- ARGV  1 how many | 2 visibility in ms | 3 token | 4 levels in the order to look, such as 0123
--       | 5 how many of a level to look at | 6.. scrapers, as JSON strings spelt as in bodies: only tasks of these; none: all

allow_when_full()
local wanted, until_ms, token = tonumber(ARGV[1]), now + tonumber(ARGV[2]), ARGV[3]
local look = tonumber(ARGV[5])
local are_named = #ARGV > 5
local rates -- source -> limits, read once; only looked at where a source has any
local has_limits = call('HLEN', SRC) > 0

promote(32)

local out, ends = {}, {}

local function stray(body)
  local key = 'stray:' .. redis.sha1hex(body)
  call('ZADD', DEAD, now, key)
  call('HSET', DEADBODY, key, dead_text('it stood in a queue, and is no task of recon', 0, '', body))
  count('stray', 1)
end

-- GCRA (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm): a burst, then one each interval.
local function may_fly(source)
  rates = rates or {}
  if rates[source] == nil then rates[source] = limits_of(source) or false end
  local limits = rates[source]
  if not limits then return true end
  local flying = tonumber(call('HGET', SRC, 'f:' .. source) or '0') or 0
  if limits.most > 0 and flying >= limits.most then return false end
  if limits.interval == 0 then return true end
  local due = math.max(tonumber(call('HGET', SRC, 't:' .. source) or '0') or 0, now)
  if due - now > limits.interval * (limits.burst - 1) then return false end
  call('HSET', SRC, 't:' .. source, due + limits.interval)
  return true
end

local function take(id, task, body)
  local leased = with(task, 'L', token)
  leased.attempts = task.attempts + 1
  write(id, task, leased)
  ends[#ends + 1] = until_ms
  ends[#ends + 1] = id
  for _, value in ipairs({id, task.level, leased.attempts, body}) do out[#out + 1] = value end
end

local function left() return wanted - #out / 4 end

-- The fields before it hold no quote that is not escaped, so that the first one found is the task's own.
local function is_for_us(body)
  if not are_named then return true end
  local _, at = string.find(body, '"scraper":', 1, true)
  for i = 6, #ARGV do
    if at and string.sub(body, at + 1, at + #ARGV[i]) == ARGV[i] then return true end
  end
  return false
end

-- Whatever comes first: nothing has to stay in the list.
local function take_first(level)
  while left() > 0 do
    local bodies = call('LPOP', LISTS[level], math.min(left(), 100))
    if not bodies then return end
    local ids = {}
    for i, body in ipairs(bodies) do ids[i] = id_of(body) or '' end
    read_ahead(ids)
    for i, body in ipairs(bodies) do
      local id = ids[i] ~= '' and ids[i]
      local task = id and record_of(id)
      if not task then
        stray(body)
      elseif task.state == 'R' then
        take(id, task, body)
      end -- else a second copy of a task that is out: it goes
    end
  end
end

-- Only what is asked for, and what its source's limits let out; the rest keeps its place.
local function take_some(level)
  for _, body in ipairs(call('LRANGE', LISTS[level], 0, look - 1)) do
    if left() <= 0 then return end
    local id = id_of(body)
    local task = id and record_of(id)
    if not task then
      call('LREM', LISTS[level], 1, body)
      stray(body)
    elseif task.state ~= 'R' then
      call('LREM', LISTS[level], 1, body)
    elseif is_for_us(body) then
      if may_fly(task.source) then
        call('LREM', LISTS[level], 1, body)
        take(id, task, body)
      end
    end
  end
end

for level in string.gmatch(ARGV[4], '%d') do
  if are_named or has_limits then take_some(tonumber(level)) else take_first(tonumber(level)) end
end
call_all('ZADD', LEASE, ends)
count('leased', #out / 4)
flush()
return out
