-- Returns the ids of the cycles that were opened, still have their keys, and have not finished; longest silent first.
-- KEYS  3 open (ledger.lua)
-- ARGV  1 '' | 2 lock's ttl | 3 keep

return call('ZRANGEBYSCORE', OPEN, string.format('%.0f', now - tonumber(keep)), '+inf')
