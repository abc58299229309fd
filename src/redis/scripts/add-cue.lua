-- Adds a cue to a live room, once per idempotency key: its number, what it changes of the room, the cue and its frame, all or nothing. So
-- the cues of a room have one order, and their frames lie in its log in that order. Put after channel-log.lua.
-- KEYS[1] state (see write-room.lua)   KEYS[2] log   KEYS[3] push channel   KEYS[4] cues (hash: see keys.ts)
-- KEYS[5] open cues (zset: number, when it ends; all of one slot)
-- ARGV[1] idempotency key   ARGV[2] hash of what was asked   ARGV[3] room   ARGV[4] kind   ARGV[5] the cue from `kind` on: members of JSON
-- ARGV[6] at, ms   ARGV[7] when it ends, ms   ARGV[8] pin: the product, '' for none   ARGV[9] the frame's head
-- ARGV[10] cues of a room at most   ARGV[11] open ones at most   ARGV[12] how long a closed room is kept, ms
-- Returns {1, cue}, {2, cue} of an earlier try, {3} when the key was used for something else, {4} when the room is not live, {5} when it
-- has had too many cues, or {6} when too many are open.
local known = redis.call('HGET', KEYS[4], 'k:' .. ARGV[1])
if known then
  local number, hash = string.match(known, '^(%d+) (.*)$')
  if hash ~= ARGV[2] then
    return { 3 }
  end
  return { 2, redis.call('HGET', KEYS[4], number) }
end
local status, last = unpack(redis.call('HMGET', KEYS[1], 'status', 'number'))
if status ~= 'live' then
  return { 4 }
end
local number = tonumber(last or 0) + 1
local ends_room = ARGV[4] == 'end'
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[6])
-- Whatever there was, a room can be ended.
if number > tonumber(ARGV[10]) and not ends_room then
  return { 5 }
end
if tonumber(ARGV[7]) > tonumber(ARGV[6]) then
  if redis.call('ZCARD', KEYS[5]) >= tonumber(ARGV[11]) then
    return { 6 }
  end
  redis.call('ZADD', KEYS[5], ARGV[7], number)
end
local cue = '{"id":"' .. ARGV[3] .. '.' .. number .. '","roomId":"' .. ARGV[3] .. '","number":' .. number .. ',' .. ARGV[5] .. '}'
redis.call('HSET', KEYS[1], 'number', number)
redis.call('HSET', KEYS[4], number, cue, 'k:' .. ARGV[1], number .. ' ' .. ARGV[2])
if ARGV[4] == 'pin' then
  redis.call('HSET', KEYS[1], 'pinned', ARGV[8])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
elseif ends_room then
  redis.call('HSET', KEYS[1], 'status', 'closed', 'closedAt', ARGV[6])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
  redis.call('DEL', KEYS[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[12])
  redis.call('PEXPIRE', KEYS[4], ARGV[12])
end
append(KEYS[2], KEYS[3], ARGV[9], ',"cue":' .. cue .. '}', ARGV[6])
return { 1, cue }
