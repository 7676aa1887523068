-- Lets claimed tasks go whose work is there; one word per id: closed or gone. When they were claimed stays known.
-- KEYS  queue.lua
-- ARGV  1.. ids

local outcomes, closed = {}, 0
for i = 1, #ARGV do
  local task = record_of(ARGV[i])
  if task and task.state == 'A' then
    erase(ARGV[i], task)
    closed = closed + 1
    outcomes[#outcomes + 1] = 'closed'
  else
    outcomes[#outcomes + 1] = 'gone'
  end
end
count('closed', closed)
flush()
return outcomes
