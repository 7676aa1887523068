-- Settles tasks as their consumers say; one word per task:
-- settled, late (its lease had ended), repeated, taken (another one has it) or unknown.
-- KEYS  queue.lua
-- ARGV  1 first wait in ms | 2 longest wait | 3 deliveries at most
--       | 4.. (id, token or '', status, wait in ms or '', why, result for the engine or '')*

allow_when_full()
local first, longest, most_attempts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function conclude(id, task, status, wait, why)
  if task.state == 'R' then unlist(task, id) end
  if task.state == 'M' then
    erase(id, task)
  elseif status == 'done' or status == 'absent' then
    claim(id, task, status)
  elseif status == 'poison' then
    bury(id, task, why)
  else
    retry(id, task, tonumber(wait) or backoff(id, task.attempts, first, longest), most_attempts, why)
  end
end

local function settle(id, token, status, wait, why)
  local task = record_of(id)
  if not task then return 'unknown' end
  if task.state == 'A' then return 'repeated' end
  local is_claim = status == 'done' or status == 'absent'
  if in_flight(task) then
    if task.token ~= token and (task.token ~= '' or not is_claim) then return 'taken' end
    conclude(id, task, status, wait, why)
    return 'settled'
  end
  -- Popped by a plain consumer and not adopted yet, or a lease that ended: what was said of it still counts.
  local plain = task.state == 'R' and not call('LPOS', LISTS[task.level], body_of(id) or '')
  if plain and token == '' then
    task.attempts = task.attempts + 1
  elseif not is_claim then
    return 'late' -- a failure of an old delivery says nothing of the next one
  end
  conclude(id, task, status, wait, why)
  return plain and token == '' and 'settled' or 'late'
end

read_ahead(told(4, 6))
local outcomes, settled, results = {}, {}, {}
for i = 4, #ARGV, 6 do
  local id, status, result = ARGV[i], ARGV[i + 2], ARGV[i + 5]
  local outcome = settle(id, ARGV[i + 1], status, ARGV[i + 3], ARGV[i + 4])
  if outcome == 'settled' or outcome == 'late' then
    settled[status] = (settled[status] or 0) + 1
    if result ~= '' then results[#results + 1] = result end
  end
  outcomes[#outcomes + 1] = outcome
end
call_all('RPUSH', RESULTS, results)
for status, number in pairs(settled) do count(status, number) end
flush()
return outcomes
