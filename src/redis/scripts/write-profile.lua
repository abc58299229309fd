-- Writes a profile if nobody else has since it was read, and appends its events to the partition's stream: all or nothing.
-- The shopper's sockets are told; without any that costs next to nothing.
-- KEYS[1] profile   KEYS[2] event stream   KEYS[3] push channel (all of one slot)
-- ARGV[1] token (8 bytes) of the profile that was read, zeros for none, then the new value   ARGV[2…] events, JSON
-- $TTL_S and $STREAM_MAX are set when the script is defined: every argument of a call costs the client about 1 µs.
-- Returns 1 (written), 2 (the stream is full), or the value that is there now ('' for none).
local expected = string.sub(ARGV[1], 1, 8)
if expected == '\0\0\0\0\0\0\0\0' then
  expected = ''
end
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= expected then
  return redis.call('GET', KEYS[1]) or ''
end
if redis.call('XLEN', KEYS[2]) >= $STREAM_MAX then
  return 2
end
redis.call('SET', KEYS[1], string.sub(ARGV[1], 9), 'EX', $TTL_S)
for i = 2, #ARGV do
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[i])
end
redis.call('SPUBLISH', KEYS[3], '{"type":"touched"}')
return 1
