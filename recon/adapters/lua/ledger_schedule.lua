-- Notes that a cycle is to begin later; 1 unless it was noted before, or has begun.
-- KEYS  4 cycle | 7 next (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 how long from now, in ms | 5 flags

if call('HEXISTS', CYCLE, 'fence') == 1 or call('HEXISTS', CYCLE, 'finished') == 1 then return 0 end
local added = call('ZADD', NEXT, 'NX', now + tonumber(ARGV[4]), cycle)
call('HSET', CYCLE, 'flags', ARGV[5])
call('PEXPIRE', CYCLE, keep)
call('PEXPIRE', NEXT, keep)
return added
