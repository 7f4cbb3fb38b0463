#!lua
-- Appends entries, all or none. ARGV: epoch, the highest position the caller knows to be published in it, the most
-- entries, the most bytes, then position and body of each entry.
-- State: epoch; added (entries were ever added); high (the highest position); bytes (of all bodies ever added).
-- An entry: p (position), o (bytes of all bodies before it), b (body).
local stream, state = KEYS[1], KEYS[2]
local known = redis.call('HMGET', state, 'epoch', 'added', 'high', 'bytes')
if known[1] ~= ARGV[1] then return 'LOST' end
local high, bytes = tonumber(known[3] or '0'), tonumber(known[4] or '0')
local function lose()
  redis.call('DEL', stream, state)
  return 'LOST'
end
local length = redis.call('XLEN', stream)
-- The stream is gone but not its state; or a failover took the last entries.
if known[2] and length == 0 and redis.call('EXISTS', stream) == 0 then return lose() end
if high < tonumber(ARGV[2]) then return lose() end
local new_high, new_bytes = high, 0
for i = 5, #ARGV, 2 do
  local position = tonumber(ARGV[i])
  if position > 0 then
    if new_high > 0 and position > new_high + 1 then return lose() end
    if position > new_high then new_high = position end
  end
  new_bytes = new_bytes + #ARGV[i + 1]
end
if length > 0 then
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][2]
  local held = bytes - tonumber(first[4])
  if length + (#ARGV - 4) / 2 > tonumber(ARGV[3]) or held + new_bytes > tonumber(ARGV[4]) then return 'FULL' end
end
for i = 5, #ARGV, 2 do
  redis.call('XADD', stream, '*', 'p', ARGV[i], 'o', string.format('%.0f', bytes), 'b', ARGV[i + 1])
  bytes = bytes + #ARGV[i + 1]
end
redis.call('HSET', state, 'added', 1, 'high', string.format('%.0f', new_high), 'bytes', string.format('%.0f', bytes))
return 'OK'
