-- Records a shard's ref, the first one only; returns how many shards remain, -1 when the cycle is not known.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 shard id | 5 ref

local state = call('HMGET', CYCLE, 'started_at', 'finished')
if not state[1] then return -1 end
if not state[2] then
  if call('ZREM', WAIT, ARGV[4]) == 1 then
    call('HSET', REFS, ARGV[4], ARGV[5])
    call('HDEL', CYCLE, 'again')
  end
  renew()
end
return call('ZCARD', WAIT)
