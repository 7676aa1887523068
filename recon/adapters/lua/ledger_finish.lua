-- Takes the final step with a lease; 1 when it was given.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 holder | 5 lease in ms

local state = call('HMGET', CYCLE, 'started_at', 'finished', 'final_by', 'final_until')
if not state[1] or state[2] then return 0 end
if state[3] and state[3] ~= ARGV[4] and (tonumber(state[4]) or 0) > now then return 0 end
call('HSET', CYCLE, 'final_by', ARGV[4], 'final_until', string.format('%.0f', now + tonumber(ARGV[5])))
renew()
return 1
