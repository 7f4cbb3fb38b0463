#!lua flags=allow-oom
-- How far all groups named have committed; lets go of what all of them, and the others that read, have committed.
-- ARGV: epoch, the retention in milliseconds, the groups that must settle. Answers the position, '' where one of them
-- has committed none, or 'LOST'.
local stream, state = KEYS[1], KEYS[2]
local all, fields = {}, redis.call('HGETALL', state)
for i = 1, #fields, 2 do all[fields[i]] = fields[i + 1] end
if all['epoch'] ~= ARGV[1] then return 'LOST' end
if all['added'] and redis.call('EXISTS', stream) == 0 then
  redis.call('DEL', state)
  return 'LOST'
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local oldest = now - tonumber(ARGV[2])
local function parse(id)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq)
end

local named, position, absent = {}, nil, false
for i = 3, #ARGV do
  named[ARGV[i]] = true
  if not all['id:' .. ARGV[i]] then absent = true end
  local own = tonumber(all['position:' .. ARGV[i]] or '-1')
  if not position or own < position then position = own end
end
if not position then position = tonumber(all['high'] or '-1') end

-- The least commit of all groups. One that need not settle and has been silent for longer than entries are kept is
-- forgotten, so that a group that was given up does not hold entries for ever.
local least_ms, least_seq = nil, nil
for field, id in pairs(all) do
  local group = string.match(field, '^id:(.*)$')
  if group then
    if not named[group] and tonumber(all['until:' .. group] or '0') < oldest then
      redis.call('HDEL', state, 'id:' .. group, 'position:' .. group, 'reader:' .. group, 'until:' .. group)
    else
      local ms, seq = parse(id)
      if not least_ms or ms < least_ms or (ms == least_ms and seq < least_seq) then
        least_ms, least_seq = ms, seq
      end
    end
  end
end
if not absent then
  if least_ms then
    redis.call('XTRIM', stream, 'MINID', string.format('%.0f-%.0f', least_ms, least_seq + 1))
  else
    redis.call('XTRIM', stream, 'MAXLEN', 0)
  end
end
-- Nothing stays longer than the retention. Should a group still need it, everything is published again, for a gap
-- must not be committed over.
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first and parse(first[1]) < oldest then
  redis.call('DEL', stream, state)
  return 'LOST'
end
if position < 0 then return '' end
return string.format('%.0f', position)
