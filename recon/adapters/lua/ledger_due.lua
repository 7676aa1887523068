-- Returns the ids of the cycles that are to begin now; each is named again later, until one has begun.
-- KEYS  7 next (ledger.lua)
-- ARGV  1 '' | 2 lock's ttl | 3 keep | 4 how much later, in ms

local due = call('ZRANGEBYSCORE', NEXT, '-inf', string.format('%.0f', now))
for _, id in ipairs(due) do call('ZADD', NEXT, 'XX', now + tonumber(ARGV[4]), id) end
return due
