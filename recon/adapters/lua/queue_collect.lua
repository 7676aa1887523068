-- Takes results off their list, each once; returns how many were there.
-- KEYS  queue.lua
-- ARGV  1.. results as they were read

local taken = 0
for i = 1, #ARGV do taken = taken + call('LREM', RESULTS, 1, ARGV[i]) end
return taken
