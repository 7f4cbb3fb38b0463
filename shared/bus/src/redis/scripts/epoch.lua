#!lua flags=allow-oom
-- The partition's epoch; a new one (ARGV[1]) where there is none, or where the entries are gone without it.
local stream, state = KEYS[1], KEYS[2]
if redis.call('HEXISTS', state, 'added') == 1 and redis.call('EXISTS', stream) == 0 then
  redis.call('DEL', state)
end
redis.call('HSETNX', state, 'epoch', ARGV[1])
return redis.call('HGET', state, 'epoch')
