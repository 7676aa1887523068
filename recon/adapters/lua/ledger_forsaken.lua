-- Returns the shards that nobody will report: sent out twice, overdue again, none reported between, and no process
-- that works for the cycle has renewed its lock.
-- KEYS  1 lock | 4 cycle | 5 wait (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 deadline in ms

if call('HEXISTS', CYCLE, 'again') == 0 or call('GET', LOCK) == cycle then return {} end
return call('ZRANGEBYSCORE', WAIT, '-inf', '(' .. string.format('%.0f', now - tonumber(ARGV[4])))
