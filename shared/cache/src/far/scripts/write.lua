#!lua
-- Writes an entry, guarded by its revision. ARGV: how to treat a key that guards nothing ('create', 'keep', or the
-- token of a load), revision, milliseconds to keep, valid_until, body.
-- A value is 'e:<revision>:<valid_until>:<body>', 't:<revision>:' (removed) or 'p:<token>:' (being loaded).
local key, mode = KEYS[1], ARGV[1]
local head = redis.call('GETRANGE', key, 0, 63)
local kind = string.sub(head, 1, 1)
local take = false
if kind == 'e' then
  local revision, valid_until = string.match(head, '^e:(%d+):(%-?%d+):')
  revision, valid_until = tonumber(revision), tonumber(valid_until)
  local new = tonumber(ARGV[2])
  take = new > revision or (new == revision and tonumber(ARGV[4]) > valid_until)
elseif kind == 't' then
  take = tonumber(ARGV[2]) > tonumber(string.match(head, '^t:(%d+):'))
elseif kind == 'p' then
  take = mode == 'create' or string.match(head, '^p:([^:]*):') == mode
  -- Something happened to it: what is being loaded may be older.
  if mode == 'keep' then redis.call('DEL', key) end
else
  take = mode == 'create'
end
if not take then return 0 end
redis.call('SET', key, 'e:' .. ARGV[2] .. ':' .. ARGV[4] .. ':' .. ARGV[5], 'PX', ARGV[3])
return 1
