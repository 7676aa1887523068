-- Marks popped tasks with the time they were first noticed gone, and mends the books.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 8 stats | 9 lake | 10 fence (queue.lua)
-- ARGV  1 lake | 2 fence | 3.. ids

local refused = refusal()
if refused then return refused end
sign()

local found = listed()
for i = 3, #ARGV do
  local id = ARGV[i]
  if call('HEXISTS', META, id) == 1 and not found[id] then call('ZADD', GONE, 'NX', now, id) end
end

-- A consumer may have pushed its copy back, and a damaged append-only file may have lost half a record.
for _, id in ipairs(call('ZRANGE', GONE, 0, -1)) do
  if found[id] or call('HEXISTS', META, id) == 0 then call('ZREM', GONE, id) end
end
for _, id in ipairs(call('HKEYS', META)) do
  local copies = found[id]
  if copies then
    if #copies > 1 then place(found, id, copies[1].level, copies[1].body) end
    if call('HGET', BODY, id) ~= copies[1].body then call('HSET', BODY, id, copies[1].body) end
  elseif id_of(call('HGET', BODY, id)) ~= id then
    forget(found, id)
  end
end
for _, id in ipairs(call('HKEYS', BODY)) do
  if call('HEXISTS', META, id) == 0 then call('HDEL', BODY, id) end
end
return call('ZCARD', GONE)
