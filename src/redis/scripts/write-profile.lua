-- Writes a profile if nobody else has since it was read, and appends its events to the partition's stream: all or nothing.
-- The shopper's sockets are told; without any that costs next to nothing.
-- KEYS[1] profile   KEYS[2] event stream   KEYS[3] push channel (all of one slot)
-- ARGV[1] token of the profile that was read, '' for none   ARGV[2] new value   ARGV[3] time to live, s
-- ARGV[4] entries the stream may hold   ARGV[5…] events, JSON
-- Returns 1 (written), 2 (the stream is full), or the value that is there now ('' for none).
local current = redis.call('GETRANGE', KEYS[1], 0, 7)
if current ~= ARGV[1] then
  return redis.call('GET', KEYS[1]) or ''
end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[4]) then
  return 2
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
for i = 5, #ARGV do
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[i])
end
redis.call('SPUBLISH', KEYS[3], '{"type":"touched"}')
return 1
