-- Puts popped tasks back that were noticed gone long enough ago; one word per id: published, waiting, unknown.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 8 stats | 9 lake | 10 fence (queue.lua)
-- ARGV  1 lake | 2 fence | 3 visibility in ms | 4.. ids

local refused = refusal()
if refused then return refused end
sign()

local found = listed()
local noticed_before = now - tonumber(ARGV[3])

local function republish(id)
  local meta = call('HGET', META, id)
  local state, level, attempts, _, source = unpack_meta(meta or '')
  if not state then return 'unknown' end
  local since = tonumber(call('ZSCORE', GONE, id))
  if state ~= 'R' or found[id] or not since or since > noticed_before then return 'waiting' end
  local body = call('HGET', BODY, id)
  if id_of(body) ~= id then
    forget(found, id)
    return 'unknown'
  end
  place(found, id, level, body)
  call('HSET', META, id, pack_meta('R', level, attempts + 1, '', source))
  return 'published'
end

local outcomes, republished = {}, 0
for i = 4, #ARGV do
  local outcome = republish(ARGV[i])
  if outcome == 'published' then republished = republished + 1 end
  outcomes[#outcomes + 1] = outcome
end
count('republished', republished)
return outcomes
