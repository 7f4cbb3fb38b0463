#!lua flags=allow-oom
-- What follows the group's commit, for whoever holds the group's lease. ARGV: group, reader, the lease in
-- milliseconds, the most entries, the most bytes (but for a first entry that is larger).
-- Answers {'HELD', milliseconds left} or {'OK', epoch, the group's commit, {id, position, body, id, …}}.
local stream, state = KEYS[1], KEYS[2]
local group = ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local known = redis.call('HMGET', state, 'epoch', 'reader:' .. group, 'until:' .. group, 'id:' .. group)
local lease, till = tonumber(ARGV[3]), tonumber(known[3] or '0')
if known[2] and known[2] ~= ARGV[2] and till > now then return {'HELD', till - now} end
-- Renewed when half of it is over: a write for each read would be dear.
if known[2] ~= ARGV[2] or till - now < lease / 2 then
  redis.call('HSET', state, 'reader:' .. group, ARGV[2], 'until:' .. group, string.format('%.0f', now + lease))
end
if not known[4] then
  redis.call('HSET', state, 'id:' .. group, '0-0')
end
local from, most, room, first = known[4] or '0-0', tonumber(ARGV[4]), tonumber(ARGV[5]), true
local answer, after = {}, from
while most > 0 do
  local some = redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', math.min(most, 64))
  if #some == 0 then break end
  for _, entry in ipairs(some) do
    local body = entry[2][6]
    room = room - #body
    if room < 0 and not first then
      return {'OK', known[1] or '', from, answer}
    end
    first = false
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
    answer[#answer + 1] = body
  end
  after, most = some[#some][1], most - #some
end
return {'OK', known[1] or '', from, answer}
