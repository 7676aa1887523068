-- Returns (id, meta, body, ready 1|0, noticed gone in ms or '') of each unsettled task of one lake; writes nothing.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 9 lake (queue.lua)
-- ARGV  1 lake

if call('GET', LAKE) ~= ARGV[1] then return {} end

local found = listed()
local rows = {}
local metas = call('HGETALL', META)
for i = 1, #metas, 2 do
  local id = metas[i]
  local copy = found[id] and found[id][1]
  local body = copy and copy.body or call('HGET', BODY, id) -- what a consumer would pop comes first
  if id_of(body) == id then
    local ready = copy and '1' or '0'
    local gone = not copy and call('ZSCORE', GONE, id) or ''
    for _, value in ipairs({id, metas[i + 1], body, ready, gone}) do rows[#rows + 1] = value end
  end
end
return rows
