-- Replaces bodies of ready tasks at their place in their lists; returns one word per task: revised or gone.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 8 stats | 9 lake | 10 fence (queue.lua)
-- ARGV  1 lake | 2 fence | 3.. (id, body)*

local refused = refusal()
if refused then return refused end
sign()

local found = listed()
local outcomes, revised = {}, 0
for i = 3, #ARGV, 2 do
  local id, body = ARGV[i], ARGV[i + 1]
  local meta = call('HGET', META, id)
  if meta and unpack_meta(meta) == 'R' and found[id] then
    place(found, id, found[id][1].level, body)
    revised = revised + 1
    outcomes[#outcomes + 1] = 'revised'
  else
    outcomes[#outcomes + 1] = 'gone'
  end
end
count('revised', revised)
return outcomes
