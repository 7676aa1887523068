-- Names the lake that owns the queues; refused when another one does. The fence is not asked.
-- KEYS  9 P:q:lake (all: queue.lua)
-- ARGV  1 lake

local owner = call('GET', LAKE)
if owner and owner ~= ARGV[1] then return redis.error_reply('OTHERLAKE ' .. owner) end
if not owner then call('SET', LAKE, ARGV[1]) end
return 1
