#!lua flags=allow-oom
-- Moves a group's commit on, never back. ARGV: group, epoch, milliseconds and sequence of the id, position (0: none).
-- Whose lease ran out may still commit: it did apply what it names, and all before.
local state, group = KEYS[1], ARGV[1]
local known = redis.call('HMGET', state, 'epoch', 'id:' .. group, 'position:' .. group)
if known[1] ~= ARGV[2] then return 'LOST' end
local ms, seq = string.match(known[2] or '0-0', '(%d+)-(%d+)')
ms, seq = tonumber(ms), tonumber(seq)
local new_ms, new_seq = tonumber(ARGV[3]), tonumber(ARGV[4])
if new_ms > ms or (new_ms == ms and new_seq > seq) then
  redis.call('HSET', state, 'id:' .. group, ARGV[3] .. '-' .. ARGV[4])
end
local position = tonumber(ARGV[5])
if position > tonumber(known[3] or '0') then
  redis.call('HSET', state, 'position:' .. group, ARGV[5])
end
return 'OK'
