-- Removes the names of consumers that have been silent and have nothing pending, in one step: a name that is removed
-- while it takes an entry would take that entry along. A consumer that lives on is made anew by its next read (Redis 7.0
-- counts it as silent while it finds nothing to read).
-- KEYS[1] stream   ARGV[1] silence, ms
-- Returns how many names went.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local function row(fields)
  local found = {}
  for i = 1, #fields, 2 do
    found[fields[i]] = fields[i + 1]
  end
  return found
end
local count = 0
for _, group_fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = row(group_fields)['name']
  for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
    local consumer = row(fields)
    if consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[1]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, consumer['name'])
      count = count + 1
    end
  end
end
return count
