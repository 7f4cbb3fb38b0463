#!lua flags=allow-oom
-- Removes what is at or below a revision. ARGV: 'create' or 'keep' (as in write.lua: how to treat a key that guards
-- nothing), revision, milliseconds to keep. It remembers the revision, for that guards what comes after it.
-- Allowed even where Redis is full: it makes room, and an erasure must not wait.
local key, mode = KEYS[1], ARGV[1]
local head = redis.call('GETRANGE', key, 0, 63)
local revision = string.match(head, '^[et]:(%d+):')
if revision then
  if tonumber(revision) > tonumber(ARGV[2]) then return 0 end
elseif mode == 'keep' then
  redis.call('DEL', key)
  return 0
end
redis.call('SET', key, 't:' .. ARGV[2] .. ':', 'PX', ARGV[3])
return 1
