-- Drops from a stream what every group has acknowledged; nothing while a group that must be there is missing.
-- KEYS[1] stream   ARGV[1…] groups that must be there
-- Returns how many entries went.
local function parts(id)
  local ms, seq = string.match(id, '(%d+)%-(%d+)')
  return tonumber(ms), tonumber(seq)
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local missing = {}
for _, name in ipairs(ARGV) do
  missing[name] = true
end
local least_ms, least_seq
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #fields, 2 do
    group[fields[i]] = fields[i + 1]
  end
  missing[group['name']] = nil
  local ms, seq = parts(group['last-delivered-id'])
  if group['pending'] > 0 then
    ms, seq = parts(redis.call('XPENDING', KEYS[1], group['name'])[2])
  else
    seq = seq + 1
  end
  if not least_ms or ms < least_ms or (ms == least_ms and seq < least_seq) then
    least_ms, least_seq = ms, seq
  end
end
if next(missing) or not least_ms then
  return 0
end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', least_ms, least_seq))
