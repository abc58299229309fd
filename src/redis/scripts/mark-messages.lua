-- Marks messages of an inbox; marks of messages that are gone go too.
-- KEYS[1] inbox   KEYS[2] marks (both of one slot)
-- ARGV[1] `read` or `dismissed`   ARGV[2] life of the marks, ms   ARGV[3..] ids
-- Returns the ids that the inbox has.
local kept = {}
for _, json in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  kept[cjson.decode(json).id] = true
end
local found = {}
for i = 3, #ARGV do
  if kept[ARGV[i]] then
    found[#found + 1] = ARGV[i]
    -- Reading again what was dismissed does not bring it back.
    redis.call(ARGV[1] == 'read' and 'HSETNX' or 'HSET', KEYS[2], ARGV[i], ARGV[1])
  end
end
if #found == 0 then
  return found
end
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not kept[id] then
    redis.call('HDEL', KEYS[2], id)
  end
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return found
