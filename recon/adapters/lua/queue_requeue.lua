-- Lets tasks begin anew: dead ones, cooling ones, claimed ones; one word per id: requeued, ready, leased or unknown.
-- KEYS  queue.lua
-- ARGV  1 lake | 2.. ids

local owner = call('GET', LAKE)
if owner and owner ~= ARGV[1] then return redis.error_reply('OTHERLAKE ' .. owner) end

local function requeue(id)
  local task = record_of(id)
  if task then
    if task.state == 'R' then return 'ready' end
    if in_flight(task) then return 'leased' end
    local body = body_of(id)
    if not body then return 'unknown' end
    call('RPUSH', LISTS[task.level], body)
    call('ZREM', COOL, id)
    call('ZREM', ACKED, id)
    local back = with(task, 'R')
    back.attempts = 0
    write(id, task, back)
    return 'requeued'
  end
  local level, source, body = string.match(call('HGET', DEADBODY, id) or '', '^[^\n]*\n([0-3]),([^\n]*)\n(.*)$')
  if not level or id_of(body) ~= id then return 'unknown' end
  call('RPUSH', LISTS[tonumber(level)], body)
  bodies[id] = body
  write(id, nil, {state = 'R', level = tonumber(level), attempts = 0, token = '', source = source})
  call('ZREM', DEAD, id)
  call('HDEL', DEADBODY, id)
  call('ZREM', ACKED, id)
  return 'requeued'
end

local outcomes, requeued = {}, 0
for i = 2, #ARGV do
  local outcome = requeue(ARGV[i])
  if outcome == 'requeued' then requeued = requeued + 1 end
  outcomes[#outcomes + 1] = outcome
end
if requeued > 0 then wake() end
count('requeued', requeued)
flush()
return outcomes
