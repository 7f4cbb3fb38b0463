#!lua flags=allow-oom
-- Removes what is at or below a revision, and remembers it. ARGV: revision, milliseconds to keep.
-- Allowed even where Redis is full: it makes room, and an erasure must not wait.
local key = KEYS[1]
local head = redis.call('GETRANGE', key, 0, 63)
local revision = string.match(head, '^[et]:(%d+):')
if revision and tonumber(revision) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', key, 't:' .. ARGV[1] .. ':', 'PX', ARGV[2])
return 1
