-- Sends claimed tasks back whose work is not there, worded anew; one word per task: reopened, dead or gone.
-- They cool first, but for those whose consumer had its time and said nothing: these have waited.
-- KEYS  queue.lua
-- ARGV  1 lake | 2 fence, or '' where no cycle asks | 3 first wait in ms | 4 longest wait | 5 deliveries at most | 6.. (id, level, body)*

local refused = refusal()
if refused then return refused end

local at_once = 0
local function reopen(id, level, body)
  local task = record_of(id)
  if not task or task.state ~= 'A' then return 'gone' end
  bodies[id] = body
  task.level = level -- a claimed task is at no level in the books
  local wait = backoff(id, task.attempts, tonumber(ARGV[3]), tonumber(ARGV[4]))
  call('ZREM', ACKED, id)
  if task.token == 'expired' and task.attempts < tonumber(ARGV[5]) then
    call('RPUSH', LISTS[level], body)
    write(id, task, with(task, 'R'))
    at_once = at_once + 1
    return 'reopened'
  end
  return retry(id, task, wait, tonumber(ARGV[5]), 'claimed, and not there') and 'reopened' or 'dead'
end

local outcomes, reopened = {}, 0
for i = 6, #ARGV, 3 do
  local outcome = reopen(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2])
  if outcome == 'reopened' then reopened = reopened + 1 end
  outcomes[#outcomes + 1] = outcome
end
if at_once > 0 then wake() end
count('reopened', reopened)
flush()
return outcomes
