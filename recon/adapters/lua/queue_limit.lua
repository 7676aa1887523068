-- Sets what a source may have in flight, and how fast; 0,0,1 lifts it.
-- KEYS  queue.lua
-- ARGV  1 source | 2 in flight at most (0: any) | 3 ms between two (0: any) | 4 burst

local source = ARGV[1]
if ARGV[2] == '0' and ARGV[3] == '0' then
  call('HDEL', SRC, 'l:' .. source, 'f:' .. source, 't:' .. source)
  return 0
end
call('HSET', SRC, 'l:' .. source, ARGV[2] .. ',' .. ARGV[3] .. ',' .. ARGV[4])
local flying = 0
for _, id in ipairs(call('HKEYS', META)) do
  local task = record_of(id)
  if in_flight(task) and task.source == source then flying = flying + 1 end
end
call('HSET', SRC, 'f:' .. source, flying)
return flying
