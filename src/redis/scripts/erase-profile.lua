-- Removes a profile and what else says that there is such a shopper, and tells the partition's stream, so that all that hangs behind it
-- forgets the rest. A wallet stays until its claims are unlinked, by whoever reads that.
-- KEYS[1] event stream   KEYS[2] wallet   KEYS[3…] profile, attributes, merged visitors, inbox, growth, risk (same slot)
-- ARGV[1] erase record, JSON
-- Returns 1 when there was any of them, else 0.
if redis.call('DEL', unpack(KEYS, 3)) + redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
redis.call('XADD', KEYS[1], '*', 'e', ARGV[1])
return 1
