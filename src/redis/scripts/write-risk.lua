-- Writes what speaks for a shopper's abuse if it still is what was read, with what others read of it: all or nothing.
-- KEYS[1] risk   KEYS[2] standing (hash)   KEYS[3] flagged shoppers of the partition (zset)   KEYS[4] event stream
-- KEYS[5] audit (stream; all of one slot)
-- ARGV[1] what was read, '' for none   ARGV[2] the new value   ARGV[3] life, s   ARGV[4] score as told   ARGV[5] '1' when flagged
-- ARGV[6] shopper   ARGV[7] change by an operator, JSON, '' for none   ARGV[8] changes the audit keeps   ARGV[9…] records for the stream
-- Returns 1, or 0 when somebody else wrote in between.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('HSET', KEYS[2], 'risk', ARGV[4], 'flagged', ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[3])
if ARGV[5] == '1' then
  redis.call('ZADD', KEYS[3], 0, ARGV[6])
else
  redis.call('ZREM', KEYS[3], ARGV[6])
end
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[8], '*', 'c', ARGV[7])
  redis.call('EXPIRE', KEYS[5], ARGV[3])
end
for i = 9, #ARGV do
  redis.call('XADD', KEYS[4], '*', 'e', ARGV[i])
end
return 1
