-- Gives the lock back where this cycle holds it; 1 when it did.
-- KEYS  1 lock | 4 cycle (ledger.lua)
-- ARGV  1 cycle id

if call('EXISTS', CYCLE) == 1 then call('HSET', CYCLE, 'released', '1') end -- a late renewal must not take it again
if call('GET', LOCK) ~= cycle then return 0 end
return call('DEL', LOCK)
