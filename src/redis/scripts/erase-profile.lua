-- Removes a profile and the shopper's attributes, and says so in the partition's stream, so that all that hangs behind it
-- forgets the shopper too.
-- KEYS[1] profile   KEYS[2] attributes   KEYS[3] event stream (same slot)   ARGV[1] erase record, JSON
-- Returns 1 when there was either, else 0.
if redis.call('DEL', KEYS[1], KEYS[2]) == 0 then
  return 0
end
redis.call('XADD', KEYS[3], '*', 'e', ARGV[1])
return 1
