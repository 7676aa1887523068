-- Registers shards that must report; those that have reported, or wait already, stay as they are.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 started_at | 5.. shard ids

if call('HEXISTS', CYCLE, 'finished') == 1 then return redis.error_reply('FENCED as finished') end
call('HSETNX', CYCLE, 'started_at', ARGV[4])
for i = 5, #ARGV do
  if call('HEXISTS', REFS, ARGV[i]) == 0 then call('ZADD', WAIT, 'NX', now, ARGV[i]) end
end
call('ZREMRANGEBYSCORE', OPEN, '-inf', now - tonumber(keep)) -- cycles whose keys have expired
call('ZADD', OPEN, now, cycle)
renew()
return call('ZCARD', WAIT)
