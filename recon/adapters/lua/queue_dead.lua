-- Returns (id, given up at in ms, why and body) of each dead task, the latest first; writes nothing.
-- KEYS  queue.lua

local rows = {}
local dead = call('ZREVRANGE', DEAD, 0, -1, 'WITHSCORES')
for i = 1, #dead, 2 do
  for _, value in ipairs({dead[i], dead[i + 1], call('HGET', DEADBODY, dead[i]) or ''}) do rows[#rows + 1] = value end
end
return rows
