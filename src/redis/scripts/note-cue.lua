-- Tidies up behind a cue, when all have their frames: inboxes keep their length and their life, and who was offered something has been
-- contacted. What is lost of this with its process does little harm: see `ContactStore.note`.
-- KEYS[1], KEYS[2] what the names of inboxes and contacts of a partition begin with; the shopper follows (all of one slot)
-- ARGV[1] now, ms   ARGV[2] messages that an inbox keeps   ARGV[3] its life, ms   ARGV[4] life of contacts, ms
-- ARGV[5] for each shopper two: shopper, and by what name they were contacted ('' for none)
local kept = tostring(tonumber(ARGV[2]) - 1)
local before = '(' .. string.format('%.0f', tonumber(ARGV[1]) - tonumber(ARGV[4]))
for i = 5, #ARGV, 2 do
  local inbox, contacts = KEYS[1] .. ARGV[i], KEYS[2] .. ARGV[i]
  redis.call('LTRIM', inbox, '0', kept)
  redis.call('PEXPIRE', inbox, ARGV[3])
  if ARGV[i + 1] ~= '' then
    redis.call('ZREMRANGEBYSCORE', contacts, '-inf', before)
    redis.call('ZADD', contacts, ARGV[1], ARGV[i + 1])
    redis.call('PEXPIRE', contacts, ARGV[4])
  end
end
