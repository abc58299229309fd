-- Sends a message to a shopper at most once: with consent, not while another run of its campaign has the cooldown, and not beyond the
-- caps on contacts over all channels. Marks, inbox, log, push and the entry that webhooks are fed from, all or nothing.
-- KEYS[1] messages sent (zset by the end of the mark)   KEYS[2] cooldowns (hash campaign → end and run)   KEYS[3] inbox   KEYS[4] push channel   KEYS[5] contacts
-- KEYS[6] attributes   KEYS[7] deliveries   KEYS[8] log (all of one slot)
-- ARGV[1] message id   ARGV[2] life of its mark, ms   ARGV[3] cooldown, ms, 0 for none   ARGV[4] the run that has it
-- ARGV[5] message, JSON   ARGV[6] shopper   ARGV[7] messages the inbox keeps   ARGV[8] life of the inbox, ms
-- ARGV[9] now, ms   ARGV[10] contacts in 24 hours at most   ARGV[11] in 7 days (0: no cap)   ARGV[12] 1: only with a stated consent
-- ARGV[13] deliveries kept at most, about   ARGV[14], ARGV[15] the frame before and after its position   ARGV[16] campaign
-- Returns 1 (sent), 2 (sent before), 3 (cooldown), 4 (enough contacts for now) or 5 (no consent).
local DAY_MS, WEEK_MS = 86400000, 604800000
local now, per_day, per_week = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) > now then
  return 2
end
local attributes = redis.call('GET', KEYS[6])
local stated = attributes and cjson.decode(attributes).consent or {}
if stated.marketing == false or (ARGV[12] == '1' and not stated.marketing) then
  return 5
end
if per_day > 0 and redis.call('ZCOUNT', KEYS[5], '(' .. (now - DAY_MS), '+inf') >= per_day then
  return 4
end
if per_week > 0 and redis.call('ZCOUNT', KEYS[5], '(' .. (now - WEEK_MS), '+inf') >= per_week then
  return 4
end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, ms)
  end
end
local cooldown_ms = tonumber(ARGV[3])
if cooldown_ms > 0 then
  local ends, run = string.match(redis.call('HGET', KEYS[2], ARGV[16]) or '0 ', '^(%d+) (.*)$')
  if tonumber(ends) <= now then
    redis.call('HSET', KEYS[2], ARGV[16], string.format('%.0f %s', now + cooldown_ms, ARGV[4]))
    keep(KEYS[2], cooldown_ms)
  elseif run ~= ARGV[4] then
    return 3
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
keep(KEYS[1], tonumber(ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - WEEK_MS)
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('PEXPIRE', KEYS[5], WEEK_MS)
redis.call('LPUSH', KEYS[3], ARGV[5])
redis.call('LTRIM', KEYS[3], 0, ARGV[7] - 1)
redis.call('PEXPIRE', KEYS[3], ARGV[8])
local _, _, listening = append(KEYS[8], KEYS[4], ARGV[14], ARGV[15], now)
redis.call('XADD', KEYS[7], 'MAXLEN', '~', ARGV[13], '*', 's', ARGV[6], 'm', ARGV[5], 'n', listening)
return 1
