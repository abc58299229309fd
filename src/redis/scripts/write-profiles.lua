-- Writes profiles of one partition, each if nobody else has since it was read, and appends their events to the partition's
-- stream: all or nothing for each profile. The shoppers' sockets are told; without any that costs next to nothing.
-- KEYS[1] event stream   KEYS[2…] profiles (all of one slot)
-- ARGV[1] for each profile: token (8 bytes) of what was read, zeros for none; the new value; the number of events (u32); the
--   events, JSON. A value or an event is its length (u32, little-endian) and its bytes. One argument, because each costs
--   the client about 1 µs; $TTL_S and $STREAM_MAX are set when the script is defined, for the same reason.
-- Returns 1 (all written), 2 (the stream is full, nothing written), or a list: for each profile 1, or the value that is
--   there now ('' for none).
if redis.call('XLEN', KEYS[1]) >= $STREAM_MAX then
  return 2
end
local packed = ARGV[1]
local at = 1
local function take()
  local length
  length, at = struct.unpack('<I4', packed, at)
  local bytes = string.sub(packed, at, at + length - 1)
  at = at + length
  return bytes
end
local results = {}
local all_written = 1
for i = 2, #KEYS do
  local expected = string.sub(packed, at, at + 7)
  if expected == '\0\0\0\0\0\0\0\0' then
    expected = ''
  end
  at = at + 8
  local value = take()
  local events
  events, at = struct.unpack('<I4', packed, at)
  if redis.call('GETRANGE', KEYS[i], 0, 7) == expected then
    redis.call('SET', KEYS[i], value, 'EX', $TTL_S)
    for _ = 1, events do
      redis.call('XADD', KEYS[1], '*', 'e', take())
    end
    redis.call('SPUBLISH', (string.gsub(KEYS[i], '}:profile:', '}:push:', 1)), '{"type":"touched"}')
    results[i - 1] = 1
  else
    for _ = 1, events do
      take()
    end
    results[i - 1] = redis.call('GET', KEYS[i]) or ''
    all_written = 0
  end
end
if all_written == 1 then
  return 1
end
return results
