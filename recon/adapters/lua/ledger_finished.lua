-- Marks the cycle as finished for good and gives its lock back; its keys stay a little while for late readers.
-- KEYS  1 lock | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 how long they stay, in ms

call('ZREM', OPEN, cycle)
if call('GET', LOCK) == cycle then call('DEL', LOCK) end
if call('EXISTS', CYCLE) == 0 then return 0 end
call('HSET', CYCLE, 'finished', '1')
stay(ARGV[4])
return 1
