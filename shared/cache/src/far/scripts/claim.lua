#!lua
-- Makes a writer the one who writes a partition. ARGV: partition, writer, a new generation.
-- A record is '<watermark>|<generation>|<writer>'; a writer that left in good order left its name empty. Only then are
-- the entries of its generation still true: else the partition begins again, empty and without a watermark.
local record = redis.call('HGET', KEYS[1], ARGV[1])
local at, generation = '0', ARGV[3]
if record then
  local old_at, old_generation, writer = string.match(record, '^(%-?%d+)|([^|]*)|(.*)$')
  if writer == '' then at, generation = old_at, old_generation end
end
redis.call('HSET', KEYS[1], ARGV[1], at .. '|' .. generation .. '|' .. ARGV[2])
return {at, generation}
