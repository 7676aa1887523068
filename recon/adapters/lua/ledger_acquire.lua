-- Takes the cycle lock; returns {1, fence}, or {0, who holds it, for how many ms yet}.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait | 6 refs | 7 next (ledger.lua)
-- ARGV  1 cycle id | 2 lock's ttl | 3 keep | 4 flags: how the cycle is run; '' from one that nobody watches

local holder = call('GET', LOCK)
if holder and holder ~= cycle then return {0, holder, call('PTTL', LOCK)} end
if call('HEXISTS', CYCLE, 'finished') == 1 then return redis.error_reply('FENCED as finished') end

-- One fence per cycle, for good: a cycle that comes back after a newer one has begun stays out. Not below the
-- clock's seconds, so that fences grow even when Redis lost its data.
local newest = newest_fence()
local fence = tonumber(call('HGET', CYCLE, 'fence'))
if fence and fence < newest then return redis.error_reply(string.format('FENCED by %.0f', newest)) end
fence = fence or math.max(newest + 1, tonumber(clock[1]))
local text = string.format('%.0f', fence)

call('SET', LOCK, cycle, 'PX', ttl)
call('SET', FENCE, text)
call('HSET', CYCLE, 'fence', text)
call('HDEL', CYCLE, 'released')
call('DEL', NEXT) -- what is to begin is done by this cycle
if ARGV[4] ~= '' then
  call('HSET', CYCLE, 'flags', ARGV[4])
  call('ZADD', OPEN, now, cycle)
end
renew()
return {1, fence}
