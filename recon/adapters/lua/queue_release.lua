-- Gives leased tasks back undone, first in their lists, their attempt refunded, or after a wait.
-- One word per task: released, cancelled (it was moot) or lost.
-- KEYS  queue.lua
-- ARGV  1 wait in ms | 2.. (id, token)*

allow_when_full()
local wait = tonumber(ARGV[1])
local function release(id, token)
  local task = record_of(id)
  if not (task and task.token == token and in_flight(task)) then return 'lost' end
  if task.state == 'M' then
    erase(id, task)
    return 'cancelled'
  end
  local body = body_of(id)
  if not body then return 'lost' end
  local back = with(task, 'R')
  back.attempts = math.max(task.attempts - 1, 0)
  call('ZREM', LEASE, id)
  if wait > 0 then
    back.state = 'C'
    call('ZADD', COOL, now + wait, id)
  else
    call('LPUSH', LISTS[task.level], body)
  end
  write(id, task, back)
  return 'released'
end

local outcomes, released = {}, 0
for i = 2, #ARGV, 2 do
  local outcome = release(ARGV[i], ARGV[i + 1])
  if outcome == 'released' then released = released + 1 end
  outcomes[#outcomes + 1] = outcome
end
if released > 0 and wait == 0 then wake() end
count('released', released)
flush()
return outcomes
