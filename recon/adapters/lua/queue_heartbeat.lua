-- Extends leases; one word per task: extended, lost (it is another's, or back in its queue), or cancelled (moot).
-- KEYS  queue.lua
-- ARGV  1 visibility in ms | 2.. (id, token)*

allow_when_full()
local outcomes = {}
for i = 2, #ARGV, 2 do
  local task = record_of(ARGV[i])
  local outcome = 'lost'
  if task and task.token == ARGV[i + 1] and in_flight(task) then
    call('ZADD', LEASE, 'XX', now + tonumber(ARGV[1]), ARGV[i])
    outcome = task.state == 'M' and 'cancelled' or 'extended'
  end
  outcomes[#outcomes + 1] = outcome
end
return outcomes
