-- Adds weights to the decayed trending counters. Counters are kept forward: a weight is multiplied by 2^(age of the
-- landmark / half-life), so that nothing has to be touched to decay, and all are rescaled when the landmark is old.
-- KEYS[1] state (hash: landmark, changes)   KEYS[2] scopes (zset)   further keys: KEYS[2]:<scope>:short and :long
-- ARGV[1] now, ms   ARGV[2] short half-life, ms   ARGV[3] long half-life, ms   ARGV[4] age to rescale at, ms
-- ARGV[5…] scope, item, short weight, long weight…
local now, short_life, long_life = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local landmark = tonumber(redis.call('HGET', KEYS[1], 'landmark') or now)
if now - landmark > tonumber(ARGV[4]) then
  local age = now - landmark
  local long_factor = string.format('%.17g', 2 ^ (-age / long_life))
  for _, scope in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local key = KEYS[2] .. ':' .. scope
    redis.call('ZUNIONSTORE', key .. ':short', 1, key .. ':short', 'WEIGHTS', string.format('%.17g', 2 ^ (-age / short_life)))
    redis.call('ZUNIONSTORE', key .. ':long', 1, key .. ':long', 'WEIGHTS', long_factor)
  end
  redis.call('ZUNIONSTORE', KEYS[2], 1, KEYS[2], 'WEIGHTS', long_factor)
  landmark = now
end
redis.call('HSET', KEYS[1], 'landmark', string.format('%.0f', landmark))
redis.call('HINCRBY', KEYS[1], 'changes', 1)
local short_factor, long_factor = 2 ^ ((now - landmark) / short_life), 2 ^ ((now - landmark) / long_life)
for i = 5, #ARGV, 4 do
  local key = KEYS[2] .. ':' .. ARGV[i]
  local short, long = tonumber(ARGV[i + 2]) * short_factor, string.format('%.17g', tonumber(ARGV[i + 3]) * long_factor)
  if short > 0 then
    redis.call('ZINCRBY', key .. ':short', string.format('%.17g', short), ARGV[i + 1])
  end
  redis.call('ZINCRBY', key .. ':long', long, ARGV[i + 1])
  redis.call('ZINCRBY', KEYS[2], long, ARGV[i])
end
return 1
