-- Sends an offer to a shopper at most once, and not within the cooldown of its kind: marks, inbox and push, all or nothing.
-- KEYS[1] mark of this offer   KEYS[2] mark of its kind   KEYS[3] inbox   KEYS[4] push channel (all of one slot)
-- ARGV[1] offer id   ARGV[2] life of the first mark, ms   ARGV[3] cooldown, ms, 0 for none
-- ARGV[4] offer, JSON   ARGV[5] frame, JSON   ARGV[6] offers the inbox keeps   ARGV[7] life of the inbox, ms
-- Returns 1 (sent), 2 (sent before) or 3 (too soon after another one).
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 2
end
if tonumber(ARGV[3]) > 0 and not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[3]) then
  return 3
end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('LPUSH', KEYS[3], ARGV[4])
redis.call('LTRIM', KEYS[3], 0, ARGV[6] - 1)
redis.call('PEXPIRE', KEYS[3], ARGV[7])
redis.call('SPUBLISH', KEYS[4], ARGV[5])
return 1
