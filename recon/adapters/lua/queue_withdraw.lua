-- Takes tasks out, ready or popped; returns one word per id: withdrawn or unknown.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 8 stats | 9 lake | 10 fence (queue.lua)
-- ARGV  1 lake | 2 fence | 3.. ids

local refused = refusal()
if refused then return refused end

local found = listed()
local outcomes, withdrawn = {}, 0
for i = 3, #ARGV do
  local id = ARGV[i]
  if call('HEXISTS', META, id) == 1 then
    forget(found, id)
    withdrawn = withdrawn + 1
    outcomes[#outcomes + 1] = 'withdrawn'
  else
    outcomes[#outcomes + 1] = 'unknown'
  end
end
if withdrawn > 0 then sign() end -- last: a full server still lets tasks go, once something was deleted
count('withdrawn', withdrawn)
return outcomes
