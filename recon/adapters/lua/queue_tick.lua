-- What time does to tasks, and the books put right.
-- Returns how many leases ended, tasks became ready, died, were adopted, were presumed done, and were mended.
-- KEYS  queue.lua
-- ARGV  1 at most so many of each | 2 first wait in ms | 3 longest wait | 4 deliveries at most
--       | 5 how long a plain consumer has, in ms | 6 how long claims are known, in ms | 7 how long the dead are kept

allow_when_full()
local most, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local most_attempts, visibility = tonumber(ARGV[4]), tonumber(ARGV[5])
local ended, died, adopted, presumed, mended = 0, 0, 0, 0, 0

local due = call('ZRANGEBYSCORE', LEASE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #due, 2 do
  local id = due[i]
  local task = record_of(id)
  if not in_flight(task) then
    call('ZREM', LEASE, id)
  elseif task.state == 'M' then
    erase(id, task)
  elseif task.token == '' then -- a plain consumer says nothing: whether its work is there must be looked at
    claim(id, task, 'expired', due[i + 1])
    presumed = presumed + 1
  elseif retry(id, task, backoff(id, task.attempts, first, longest), most_attempts, 'its lease ended') then
    ended = ended + 1
  else
    died = died + 1
  end
end

local promoted = promote(most)

-- Every record against every copy: consumers pop and push as they like, and a server may lose half a write.
flush()
local found = listed()
local open, flying = {[0] = 0, 0, 0, 0}, {}
local metas = call('HGETALL', META)
for i = 1, #metas, 2 do
  local id = metas[i]
  read[id] = metas[i + 1]
  local task = record_of(id)
  local copies = found[id]
  local body = call('HGET', BODY, id)
  local is_whole = id_of(body) == id
  if task and task.state == 'R' and not copies then
    if not is_whole then
      erase(id, task)
      task, mended = nil, mended + 1
    elseif adopted < most then
      local popped = with(task, 'L')
      popped.attempts = task.attempts + 1
      write(id, task, popped)
      call('ZADD', LEASE, now + visibility, id)
      task, adopted = popped, adopted + 1
    end
  elseif task and task.state == 'R' then
    local copy = copies[1]
    for _, other in ipairs(copies) do
      if other.level == task.level then copy = other end
    end
    if #copies > 1 then
      place(found, id, copy.level, copy.body)
      mended = mended + 1
    end
    if copy.body ~= body then -- which of them is right, the next publication says
      call('HSET', META, id, '?' .. metas[i + 1])
      task, mended = nil, mended + 1
    elseif copy.level ~= task.level then -- a consumer pushed it back elsewhere: it is where it stands
      local moved = with(task, 'R')
      moved.level = copy.level
      write(id, task, moved)
      task, mended = moved, mended + 1
    end
  elseif task and copies then
    if task.token == '' and task.state == 'L' then -- a plain consumer pushed its copy back
      local copy = copies[1]
      place(found, id, copy.level, copy.body)
      call('ZREM', LEASE, id)
      local back = with(task, 'R')
      back.level, back.attempts = copy.level, math.max(task.attempts - 1, 0)
      write(id, task, back)
      task = back
    else
      unlist_all(found, id)
    end
    mended = mended + 1
  elseif task and not is_whole then
    erase(id, task)
    task, mended = nil, mended + 1
  elseif not task and not copies and not is_whole then
    erase(id, nil)
    mended = mended + 1
  end
  if task then
    if is_open(task) then open[task.level] = open[task.level] + 1 end
    if in_flight(task) then
      flying[task.source] = (flying[task.source] or 0) + 1
      if not call('ZSCORE', LEASE, id) then call('ZADD', LEASE, now + visibility, id) end
    elseif task.state == 'C' and not call('ZSCORE', COOL, id) then
      call('ZADD', COOL, now, id)
    elseif task.state == 'A' and not call('ZSCORE', ACKED, id) then
      call('ZADD', ACKED, now, id)
    end
  end
end
flush()
for _, id in ipairs(call('HKEYS', BODY)) do
  if call('HEXISTS', META, id) == 0 then call('HDEL', BODY, id) end
end
for _, set in ipairs({LEASE, COOL}) do
  for _, id in ipairs(call('ZRANGE', set, 0, -1)) do
    local task = record_of(id)
    local fits = task and ((set == LEASE and in_flight(task)) or (set == COOL and task.state == 'C'))
    if not fits then call('ZREM', set, id) end
  end
end
for level = 0, 3 do
  local name = 'open:' .. level
  if open[level] ~= 0 or call('HEXISTS', STATS, name) == 1 then call('HSET', STATS, name, open[level]) end
end
for _, field in ipairs(call('HKEYS', SRC)) do
  local source = string.match(field, '^l:(.*)$')
  if source then call('HSET', SRC, 'f:' .. source, flying[source] or 0) end
end
call('ZREMRANGEBYSCORE', ACKED, '-inf', now - tonumber(ARGV[6]))
for _, id in ipairs(call('ZRANGEBYSCORE', DEAD, '-inf', now - tonumber(ARGV[7]))) do
  call('ZREM', DEAD, id)
  call('HDEL', DEADBODY, id)
end
return {ended, promoted, died, adopted, presumed, mended}
