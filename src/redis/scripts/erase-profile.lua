-- Removes a profile and the shopper's attributes, and says so in the partition's stream, so that all that hangs behind it
-- forgets the shopper too. A wallet stays until its claims are unlinked, by whoever reads that.
-- KEYS[1] profile   KEYS[2] attributes   KEYS[3] event stream   KEYS[4] wallet   KEYS[5] merged visitors (same slot)
-- ARGV[1] erase record, JSON
-- Returns 1 when there was any of them, else 0.
if redis.call('DEL', KEYS[1], KEYS[2], KEYS[5]) + redis.call('EXISTS', KEYS[4]) == 0 then
  return 0
end
redis.call('XADD', KEYS[3], '*', 'e', ARGV[1])
return 1
