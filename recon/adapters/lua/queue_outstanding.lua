-- Returns (id, meta, body, ready 1|0, at in ms or '') of each unsettled task of one lake; writes nothing.
-- ``at``: when its lease ends, when it has cooled, when it was claimed.
-- KEYS  queue.lua
-- ARGV  1 lake

if call('GET', LAKE) ~= ARGV[1] then return {} end

local found = listed()
local rows = {}
local metas = call('HGETALL', META)
for i = 1, #metas, 2 do
  local id = metas[i]
  local task = record_of(id)
  local copy = (not task or task.state == 'R' or task.state == 'L') and found[id] and found[id][1]
  local body = copy and copy.body or call('HGET', BODY, id) -- what a consumer would pop comes first
  if id_of(body) == id then
    local set = task and ({L = LEASE, M = LEASE, C = COOL, A = ACKED})[task.state]
    local at = set and call('ZSCORE', set, id) or ''
    for _, value in ipairs({id, metas[i + 1], body, copy and '1' or '0', at}) do rows[#rows + 1] = value end
  end
end
return rows
