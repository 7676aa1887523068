-- Publishes tasks; returns one word per task: new, duplicate, moved, repaired or deferred.
-- KEYS  1-4 lists | 5 body | 6 meta | 7 gone | 8 stats | 9 lake | 10 fence (queue.lua)
-- ARGV  1 lake | 2 fence | 3 how many new ones at most | 4-7 cap per level | 8.. (id, level, source, body)*

local refused = refusal()
if refused then return refused end
sign()

local room = {[0] = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])}
for _, meta in ipairs(call('HVALS', META)) do -- caps bound what is outstanding: in the lists or popped
  local _, level = unpack_meta(meta)
  if level then room[level] = room[level] - 1 end
end

local found = listed()
local allowed = tonumber(ARGV[3])
local tally = {new = 0, duplicate = 0, moved = 0, repaired = 0, deferred = 0}

local function publish_new(id, level, source, body)
  if tally.new >= allowed or room[level] <= 0 then return 'deferred' end
  place(found, id, level, body)
  call('HSET', META, id, pack_meta('R', level, 0, '', source))
  room[level] = room[level] - 1
  return 'new'
end

-- A popped task cannot move (its consumer has it), but what would come back is put right.
local function publish_popped(id, old, level, body)
  if level ~= old or call('HGET', BODY, id) == body then return 'duplicate' end
  call('HSET', BODY, id, body)
  return 'repaired'
end

local function publish_ready(id, old, level, attempts, source, body)
  local copies = found[id]
  local at = copies[1].level
  if level ~= old and room[level] <= 0 then return 'duplicate' end -- stays where it is until there is room
  if level == old and at == level and #copies == 1 and copies[1].body == body
    and call('HGET', BODY, id) == body then
    return 'duplicate'
  end
  place(found, id, level, body)
  call('HSET', META, id, pack_meta('R', level, attempts, '', source))
  room[old] = room[old] + 1
  room[level] = room[level] - 1
  return (level ~= old or at ~= level) and 'moved' or 'repaired'
end

-- The record is unreadable: write it anew, and leave a popped task popped.
local function publish_damaged(id, level, source, body)
  if found[id] then place(found, id, level, body) else call('HSET', BODY, id, body) end
  call('HSET', META, id, pack_meta('R', level, 0, '', source))
  room[level] = room[level] - 1
  return 'repaired'
end

local outcomes = {}
for i = 8, #ARGV, 4 do
  local id, level, source, body = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local meta = call('HGET', META, id)
  local outcome
  if not meta then
    outcome = publish_new(id, level, source, body)
  else
    local state, old, attempts = unpack_meta(meta)
    if not state then
      outcome = publish_damaged(id, level, source, body)
    elseif state == 'R' and found[id] then
      outcome = publish_ready(id, old, level, attempts, source, body)
    else
      outcome = publish_popped(id, old, level, body)
    end
  end
  tally[outcome] = tally[outcome] + 1
  outcomes[#outcomes + 1] = outcome
end
count('published', tally.new)
count('moved', tally.moved)
count('repaired', tally.repaired)
return outcomes
