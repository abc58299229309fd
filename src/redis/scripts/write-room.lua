-- Writes a room when nobody else has since it was read, and tells its channel; put after channel-log.lua.
-- KEYS[1] state (hash: definition, status, version, pinned, openedAt, closedAt; number: of the latest cue)
-- KEYS[2] log   KEYS[3] push channel   KEYS[4] cues   KEYS[5] open cues (all of one slot)
-- ARGV[1] version that was read, 0 for none   ARGV[2] the next   ARGV[3] definition, JSON   ARGV[4] status
-- ARGV[5] pinned product, '' for none   ARGV[6] openedAt   ARGV[7] closedAt, ms, '' for neither
-- ARGV[8], ARGV[9] the frame's head and body   ARGV[10] now, ms   ARGV[11] how long a closed room is kept, ms
-- Returns {1}, or {2, version that is there}.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then
  return { 2, tonumber(version) }
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'definition', ARGV[3], 'status', ARGV[4], 'pinned', ARGV[5], 'openedAt', ARGV[6], 'closedAt', ARGV[7])
if ARGV[4] == 'closed' then
  redis.call('DEL', KEYS[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[11])
  redis.call('PEXPIRE', KEYS[4], ARGV[11])
end
append(KEYS[2], KEYS[3], ARGV[8], ARGV[9], ARGV[10])
return { 1 }
