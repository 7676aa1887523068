-- Returns the shards that have not reported and were last sent out too long ago.
-- KEYS  5 wait (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 deadline in ms

return call('ZRANGEBYSCORE', WAIT, '-inf', '(' .. string.format('%.0f', now - tonumber(ARGV[4])))
