-- Takes tasks out; a leased one becomes moot: its holder hears of it. One word per id: withdrawn, moot or unknown.
-- KEYS  queue.lua
-- ARGV  1 lake | 2 fence, or '' | 3.. ids

local refused = refusal()
if refused then return refused end
allow_when_full()

local every
local function withdraw(id)
  local task, text = record_of(id)
  if not text then return 'unknown' end
  if not task then -- unreadable: whatever stands under it goes
    every = every or listed()
    unlist_all(every, id)
  elseif (task.state == 'L' or task.state == 'M') and task.token ~= '' then
    write(id, task, with(task, 'M', task.token))
    return 'moot'
  elseif task.state == 'R' then
    unlist(task, id)
  end
  erase(id, task)
  return 'withdrawn'
end

local outcomes, withdrawn = {}, 0
for i = 3, #ARGV do
  local outcome = withdraw(ARGV[i])
  if outcome ~= 'unknown' then
    withdrawn = withdrawn + 1
    call('ZREM', ACKED, ARGV[i])
  end
  outcomes[#outcomes + 1] = outcome
end
if withdrawn > 0 then sign() end
count('withdrawn', withdrawn)
flush()
return outcomes
