-- Remembers that shards were sent out now; returns how many of them still have to report.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4.. shard ids

local waiting = 0
for i = 4, #ARGV do
  if call('ZSCORE', WAIT, ARGV[i]) then
    call('ZADD', WAIT, 'XX', now, ARGV[i])
    waiting = waiting + 1
  end
end
-- Sent out before, and nothing has reported since: see ledger_forsaken.lua.
if call('HEXISTS', CYCLE, 'started_at') == 1 and call('HSETNX', CYCLE, 'sent', '1') == 0 then
  call('HSET', CYCLE, 'again', '1')
end
return waiting
