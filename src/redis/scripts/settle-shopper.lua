-- Notes which segments a shopper is in and what they count as a buyer, if they still are as they were looked at: all that
-- depends on it changes at once, and repeating it changes nothing.
-- KEYS[1] profile   KEYS[2] attributes   KEYS[3] the shopper's segments (hash id → since, ms)
-- KEYS[4] buyers (hash shopper → buckets)   KEYS[5] buyer counts (hash)   KEYS[6] segment sizes (hash)
-- KEYS[7] stream of changes   KEYS[8…] members (zsets) of the segments in ARGV[9…] (all of one slot)
-- ARGV[1] the profile's first 8 bytes as looked at, '' for none   ARGV[2] attributes as looked at, '' for none
-- ARGV[3] shopper   ARGV[4] now, ms   ARGV[5] cause   ARGV[6] buckets `day,orders,money`, '' for no buyer
-- ARGV[7] how many of the segments are entered; the others are left   ARGV[8] entries the stream keeps
-- ARGV[9…] segment ids
-- Returns 1, or 0 when the shopper has changed.
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then
  return 0
end
local shopper = ARGV[3]
local function count(buckets, by)
  local i = 0
  for bucket in string.gmatch(buckets, '[^,]+') do
    i = i + 1
    local field = i .. ':' .. bucket
    if redis.call('HINCRBY', KEYS[5], field, by) == 0 then
      redis.call('HDEL', KEYS[5], field)
    end
  end
end
local known = redis.call('HGET', KEYS[4], shopper) or ''
if known ~= ARGV[6] then
  count(known, -1)
  count(ARGV[6], 1)
  if ARGV[6] == '' then
    redis.call('HDEL', KEYS[4], shopper)
  else
    redis.call('HSET', KEYS[4], shopper, ARGV[6])
  end
end
for i = 9, #ARGV do
  local id, members = ARGV[i], KEYS[i - 1]
  local enters = i - 8 <= tonumber(ARGV[7])
  local changed
  if enters then
    changed = redis.call('HSETNX', KEYS[3], id, ARGV[4])
    redis.call('ZADD', members, 0, shopper)
  else
    changed = redis.call('HDEL', KEYS[3], id)
    redis.call('ZREM', members, shopper)
  end
  if changed == 1 then
    if redis.call('HINCRBY', KEYS[6], id, enters and 1 or -1) == 0 then
      redis.call('HDEL', KEYS[6], id)
    end
    redis.call('XADD', KEYS[7], 'MAXLEN', '~', ARGV[8], '*', 'c', cjson.encode({
      type = enters and 'enter' or 'leave', segment = id, shopper = shopper, at = tonumber(ARGV[4]), cause = ARGV[5],
    }))
  end
end
return 1
