-- Removes a profile and says so in the partition's stream, so that all that hangs behind it forgets the shopper too.
-- KEYS[1] profile   KEYS[2] event stream (same slot)   ARGV[1] erase record, JSON
-- Returns 1 when there was a profile, else 0.
if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'e', ARGV[1])
return 1
