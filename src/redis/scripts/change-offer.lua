-- Writes the definition of an offer when nobody else has since it was read, and notes it in the audit. What is out is not
-- touched, and the budget never goes below it.
-- KEYS[1] state (see claim-record.lua; also offer: the definition, version)   KEYS[2] audit (stream)
-- ARGV[1] version that was read, 0 for none   ARGV[2] definition, JSON   ARGV[3] limits, packed
-- ARGV[4] budget: money   ARGV[5] budget: count   ARGV[6] audit entry, JSON   ARGV[7] audit entries that are kept
-- Returns {1}, {2, version that is there}, {3} for a missing budget, or {4, money, count that are out}.
local version, money, count = unpack(redis.call('HMGET', KEYS[1], 'version', 'money', 'count'))
if (version or '0') ~= ARGV[1] then
  return { 2, tonumber(version or 0) }
end
if version and not (money and count) then
  return { 3 }
end
money, count = tonumber(money or 0), tonumber(count or 0)
if money > tonumber(ARGV[4]) or count > tonumber(ARGV[5]) then
  return { 4, money, count }
end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'offer', ARGV[2], 'limits', ARGV[3], 'money', money, 'count', count)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'a', ARGV[6])
return { 1 }
