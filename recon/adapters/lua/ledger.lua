-- The part that every ledger_*.lua script shares; it is put in front of each of them.
-- KEYS  1 P:cycle:lock       STRING, the id of the cycle that holds the lock; expires unless renewed
--       2 P:cycle:fence      STRING, the greatest fence ever given; never expires
--       3 P:cycle:open       ZSET cycle id -> last sign of life in ms, from its beginning until it has finished
--       4 P:cycle:<id>       HASH fence, flags, started_at, sent, again, released, final_by, final_until, finished
--       5 P:cycle:<id>:wait  ZSET shard id -> last sent out, in ms; reported shards leave it
--       6 P:cycle:<id>:refs  HASH shard id -> ref, the first that was reported
--       7 P:cycle:next       ZSET id of a cycle that is to begin -> when, in ms; empty once any cycle has begun
-- ARGV  1 cycle id | 2 lock's time to live in ms | 3 how long a cycle's keys are kept, in ms | 4.. as each script says

local call = redis.call
local LOCK, FENCE, OPEN, CYCLE, WAIT, REFS, NEXT = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local cycle, ttl, keep = ARGV[1], ARGV[2], ARGV[3]

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function newest_fence()
  return tonumber(call('GET', FENCE) or '0') or 0
end

local function stay(for_ms)
  for i = 4, 6 do call('PEXPIRE', KEYS[i], for_ms) end
end

-- A sign of life: the lock, where this cycle holds it, and the cycle's keys live on.
local function renew()
  if call('GET', LOCK) == cycle then call('PEXPIRE', LOCK, ttl) end
  call('ZADD', OPEN, 'XX', now, cycle)
  call('PEXPIRE', OPEN, keep)
  stay(keep)
end
