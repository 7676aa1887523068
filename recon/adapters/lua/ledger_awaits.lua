-- Returns 1 while a shard's result is still wanted: it has not reported, and its cycle goes on.
-- KEYS  2 fence | 4 cycle | 5 wait (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 shard id

local own = call('HMGET', CYCLE, 'fence', 'finished')
if own[2] or (own[1] and tonumber(own[1]) < newest_fence()) then return 0 end
return call('ZSCORE', WAIT, ARGV[4]) and 1 or 0
