-- Renews the lock; 1 while this cycle holds it. A lock that expired is taken again unless a newer cycle began.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 who holds the final step, or '' | 5 its lease in ms

local holder = call('GET', LOCK)
if holder and holder ~= cycle then return 0 end
if not holder then
  local own = call('HMGET', CYCLE, 'fence', 'released', 'finished')
  if own[2] or own[3] or (tonumber(own[1]) or -1) < newest_fence() then return 0 end
  call('SET', LOCK, cycle, 'PX', ttl)
end
if ARGV[4] ~= '' and call('HGET', CYCLE, 'final_by') == ARGV[4] then
  call('HSET', CYCLE, 'final_until', string.format('%.0f', now + tonumber(ARGV[5])))
end
renew()
return 1
