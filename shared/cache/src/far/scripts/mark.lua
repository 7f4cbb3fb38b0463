#!lua flags=allow-oom
-- Moves a partition's watermark on, and gives the partition up where the writer leaves. ARGV: partition, writer,
-- generation, watermark, '1' to leave. Answers 0 where the partition is no longer this writer's.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return 0 end
local at, generation, writer = string.match(record, '^(%-?%d+)|([^|]*)|(.*)$')
if generation ~= ARGV[3] or writer ~= ARGV[2] then return 0 end
if tonumber(ARGV[4]) > tonumber(at) then at = ARGV[4] end
if ARGV[5] == '1' then writer = '' end
redis.call('HSET', KEYS[1], ARGV[1], at .. '|' .. generation .. '|' .. writer)
return 1
