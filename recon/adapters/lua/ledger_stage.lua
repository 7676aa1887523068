-- Returns how far a cycle is: gone, finished, overtaken, lost, planning, unsent, scanning or scanned.
-- KEYS  1 lock | 2 fence | 3 open | 4 cycle | 5 wait (ledger.lua)
-- ARGV  1 cycle id

local own = call('HMGET', CYCLE, 'fence', 'started_at', 'sent', 'finished')
if own[4] then return 'finished' end
if not own[1] and not own[2] then return 'gone' end
if own[1] and tonumber(own[1]) < newest_fence() then return 'overtaken' end
if not own[2] then return call('GET', LOCK) == cycle and 'planning' or 'lost' end
if call('ZCARD', WAIT) == 0 then return 'scanned' end
return own[3] and 'scanning' or 'unsent'
