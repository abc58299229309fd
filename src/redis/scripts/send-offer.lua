-- Sends an offer to a shopper at most once, not within the cooldown of its kind and not beyond the caps on contacts over all channels:
-- marks, inbox and push, all or nothing.
-- KEYS[1] mark of this offer   KEYS[2] mark of its kind   KEYS[3] inbox   KEYS[4] push channel   KEYS[5] contacts (all of one slot)
-- ARGV[1] offer id   ARGV[2] life of the first mark, ms   ARGV[3] cooldown, ms, 0 for none
-- ARGV[4] offer, JSON   ARGV[5] frame, JSON   ARGV[6] offers the inbox keeps   ARGV[7] life of the inbox, ms
-- ARGV[8] now, ms   ARGV[9] contacts in 24 hours at most   ARGV[10] in 7 days (0: no cap)
-- Returns 1 (sent), 2 (sent before), 3 (too soon after another one of its kind) or 4 (enough contacts for now).
local DAY_MS, WEEK_MS = 86400000, 604800000
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 2
end
local now, per_day, per_week = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
if per_day > 0 and redis.call('ZCOUNT', KEYS[5], '(' .. (now - DAY_MS), '+inf') >= per_day then
  return 4
end
if per_week > 0 and redis.call('ZCOUNT', KEYS[5], '(' .. (now - WEEK_MS), '+inf') >= per_week then
  return 4
end
if tonumber(ARGV[3]) > 0 and not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[3]) then
  return 3
end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - WEEK_MS)
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('PEXPIRE', KEYS[5], WEEK_MS)
redis.call('LPUSH', KEYS[3], ARGV[4])
redis.call('LTRIM', KEYS[3], 0, ARGV[6] - 1)
redis.call('PEXPIRE', KEYS[3], ARGV[7])
redis.call('SPUBLISH', KEYS[4], ARGV[5])
return 1
