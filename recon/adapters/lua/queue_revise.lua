-- Replaces bodies of tasks that no consumer has, ready (at their place) or cooling; one word per task: revised or gone.
-- KEYS  queue.lua
-- ARGV  1 lake | 2 fence | 3.. (id, body)*

local refused = refusal()
if refused then return refused end
sign()

local function revise(id, body)
  local task = record_of(id)
  if not task then return 'gone' end
  if task.state == 'R' then
    local at = call('LPOS', LISTS[task.level], body_of(id) or '')
    if not at then return 'gone' end
    call('LSET', LISTS[task.level], at, body)
  elseif task.state ~= 'C' then
    return 'gone'
  end
  bodies[id] = body
  return 'revised'
end

local outcomes, revised = {}, 0
for i = 3, #ARGV, 2 do
  local outcome = revise(ARGV[i], ARGV[i + 1])
  if outcome == 'revised' then revised = revised + 1 end
  outcomes[#outcomes + 1] = outcome
end
count('revised', revised)
flush()
return outcomes
