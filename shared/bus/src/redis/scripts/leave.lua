#!lua flags=allow-oom
-- Ends a reader's lease. ARGV: group, reader.
local state, group = KEYS[1], ARGV[1]
if redis.call('HGET', state, 'reader:' .. group) == ARGV[2] then
  redis.call('HSET', state, 'until:' .. group, '0')
end
return 'OK'
