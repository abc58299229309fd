-- Writes a shopper's growth if it still is what was read, with the changes of their points and what others read of it: all or
-- nothing. Who hangs behind the event stream is told.
-- KEYS[1] growth   KEYS[2] standing (hash)   KEYS[3] ledger (stream)   KEYS[4] ids that counted (zset)   KEYS[5] event stream
--   (all of one slot)
-- ARGV[1] what was read, '' for none   ARGV[2] the new value   ARGV[3] life, s
-- ARGV[4] points   ARGV[5] level   ARGV[6] badges, JSON   ARGV[7] portrait record, JSON, '' when nothing to be seen has changed
-- ARGV[8] entries the ledger keeps   ARGV[9] ids kept   ARGV[10] number of new entries, which follow; then time and id in turn
-- Returns 1, or 0 when somebody else wrote in between.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('HSET', KEYS[2], 'points', ARGV[4], 'level', ARGV[5], 'badges', ARGV[6])
local entries = tonumber(ARGV[10])
for i = 11, 10 + entries do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'e', ARGV[i])
end
for i = 11 + entries, #ARGV, 2 do
  redis.call('ZADD', KEYS[4], ARGV[i], ARGV[i + 1])
end
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - tonumber(ARGV[9]))
for i = 2, 4 do
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[5], '*', 'e', ARGV[7])
end
return 1
